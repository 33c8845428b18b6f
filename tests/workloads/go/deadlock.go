// A net/http service that deadlocks as soon as it is used: the handler takes a read lock twice, and a writer
// comes in between.
//
//	goroutine 1: RLock()
//	goroutine 2: Lock(), waits for 1
//	goroutine 1: RLock(), waits for 2
//
// Usage: deadlock ADDRESS KEEPALIVE. Steps: `listening`; `request` for each (`local`, `peer`). Commands: `exit`.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

const lifetime = 120 * time.Second

var policy sync.RWMutex

// resolve is the guard policy of the story, with its mistake.
func resolve() {
	policy.RLock()
	defer policy.RUnlock()
	go countError()
	for policy.TryRLock() { // Fails once the writer waits.
		policy.RUnlock()
		time.Sleep(time.Millisecond)
	}
	policy.RLock()
	defer policy.RUnlock()
}

func countError() {
	policy.Lock()
	defer policy.Unlock()
}

func handle(answer http.ResponseWriter, request *http.Request) {
	local := request.Context().Value(http.LocalAddrContextKey).(net.Addr)
	step("request", fmt.Sprintf(`,"local":"%s","peer":"%s"`, local, request.RemoteAddr))
	resolve()
	fmt.Fprintln(answer, "resolved")
}

func step(name, more string) {
	fmt.Printf("{\"step\":\"%s\",\"pid\":%d%s}\n", name, os.Getpid(), more)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: deadlock ADDRESS KEEPALIVE")
		os.Exit(2)
	}
	keepAlive, err := time.ParseDuration(os.Args[2])
	if err != nil {
		fail(err)
	}
	step("started", `,"scenario":"deadlock","language":"go"`)
	time.AfterFunc(lifetime, func() { os.Exit(0) })
	config := net.ListenConfig{KeepAlive: keepAlive}
	listener, err := config.Listen(context.Background(), "tcp4", os.Args[1])
	if err != nil {
		fail(err)
	}
	step("listening", fmt.Sprintf(`,"local":"%s"`, listener.Addr()))
	go func() { fail(http.Serve(listener, http.HandlerFunc(handle))) }()
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		if commands.Text() == "exit" {
			break
		}
		step("error", `,"message":"unknown command"`)
	}
}
