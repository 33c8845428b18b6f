#!/bin/bash
# Runs in a Debian that was booted for it: the package there is installed, works as a service, and goes again, and
# so does what is in the archive.
# What fails is the last thing printed.
set -eEu -o pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 SYSTEMD_PAGER= SYSTEMD_COLORS=0

step() { echo "boot: $*"; }
fail() {
    echo "boot: FAILED: $*"
    systemctl status socktrace --no-pager --lines=0 || true
    journalctl --boot --unit=socktrace --no-pager --output=cat | cut -c-300 | tail --lines=20
    exit 1
}
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR

# Waits up to a minute for a command to succeed.
await() {
    for _ in $(seq 240); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.25
    done
    fail "it never came to be: $*"
}
is() { # PROPERTY VALUE
    [ "$(property "$1")" = "$2" ]
}
property() { systemctl show --property="$1" --value socktrace; }
says() { journalctl --boot --unit=socktrace --no-pager --output=cat | grep "$@" >/dev/null; }
absent() { [ ! -e "$1" ] || fail "$1 is there"; }
leaks() { # FILE: the names of the leaks that it tells of
    grep '"action":"socket.leak"' "$1" | grep -o '"leak":{"id":"[^"]*"' | sort -u
}
told() { [ "$(leaks "$1" | wc -l)" -ge "$2" ]; }

step "installing"
dpkg --install /root/socktrace.deb
for file in /etc/socktrace/{socktrace,conf.d/metrics}.toml /usr/bin/socktrace \
    /usr/lib/systemd/system/socktrace.service /usr/lib/sysusers.d/socktrace.conf \
    /usr/share/man/man1/socktrace-run.1.gz /usr/share/bash-completion/completions/socktrace; do
    [ -f "$file" ] || fail "no $file"
done
getent passwd socktrace
is ActiveState inactive || fail "it started by itself"
! systemctl --quiet is-enabled socktrace || fail "it is enabled by itself"
socktrace check-config >/dev/null

step "starting"
cat >/etc/socktrace/conf.d/90-boot.toml <<'TOML'
leak-after = "2s"
[[output]]
path = "-"
[[output]]
url = "journald://"
TOML
systemctl enable --now socktrace
is ActiveState active
pid=$(property MainPID)
[ "$(stat --format=%U "/proc/$pid")" = socktrace ] || fail "it runs as somebody else"
grep -E '^(Cap(Prm|Bnd)|NoNewPrivs|Seccomp):' "/proc/$pid/status"

step "leaking"
python3 - <<'PYTHON' &
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
held = []
for _ in range(3):
    client = socket.create_connection(listener.getsockname())
    held.append(listener.accept()[0])
    client.close()
time.sleep(600)
PYTHON
leaker=$!
await says "\"action\":\"socket.leak\".*python3\[$leaker"
await is StatusText "watching: 3 leaks open, 3 sockets tracked"
python3 - <<'PYTHON'
from urllib.request import urlopen
text = urlopen("http://127.0.0.1:9753/metrics").read().decode()
assert 'socktrace_leaked_sockets{process="python3",kind="close_wait"} 3' in text, text
PYTHON
of_journal() { journalctl --boot --quiet --no-pager --output=cat --identifier=socktrace "$@" | wc -l; }
[ "$(of_journal SOCKTRACE_ACTION=socket.leak SOCKTRACE_PHASE=open)" = 3 ]
[ "$(socktrace history --format csv | grep --count python3)" = 3 ]

step "reloading"
log=/var/log/socktrace/events.json
printf '[[output]]\npath = "%s"\n' "$log" >>/etc/socktrace/conf.d/90-boot.toml
systemctl reload socktrace
is ActiveState active && is MainPID "$pid"
await test -s "$log"
echo 'leek-after = 1' >/etc/socktrace/conf.d/91-mistake.toml
systemctl reload socktrace
await says "there is no key leek-after"
rm /etc/socktrace/conf.d/91-mistake.toml
is ActiveState active && is MainPID "$pid"

step "killing"
kill -KILL "$pid"
await is NRestarts 1
await is ActiveState active
await told "$log" 3

step "hanging"
pid=$(property MainPID)
kill -STOP "$pid"
await is NRestarts 2
await is ActiveState active
says --fixed-strings "Watchdog timeout"
await is StatusText "watching: 3 leaks open, 3 sockets tracked"
[ "$(leaks "$log" | wc -l)" = 3 ] || fail "leaks have other names after the restart"

step "exposure"
systemd-analyze security --no-pager --threshold=27 socktrace | tail --lines=1

step "upgrading"
pid=$(property MainPID)
dpkg --install /root/socktrace.deb
await is ActiveState active
[ "$(property MainPID)" != "$pid" ] || fail "the old program still runs"
kill "$leaker"
await says '"phase":"resolved"'

step "stopping"
systemctl stop socktrace
is Result success && is ExecMainStatus 0
says '"message":"stopped: '
systemctl start socktrace

step "removing"
dpkg --remove socktrace
absent /usr/bin/socktrace
! pgrep --exact socktrace || fail "it still runs"
[ -f /etc/socktrace/socktrace.toml ] || fail "the configuration went with it"
[ -f /var/lib/socktrace/history.db ] || fail "the evidence went with it"

step "purging"
rm /etc/socktrace/conf.d/90-boot.toml
dpkg --purge socktrace
absent /etc/socktrace
absent /var/lib/socktrace
absent /var/log/socktrace
[ -z "$(find /etc/systemd -name 'socktrace*')" ] || fail "something of it is still enabled"

step "unpacking the archive"
userdel socktrace
tar -C /usr --strip-components=1 -xzf /root/socktrace.tar.gz
systemd-sysusers
systemctl daemon-reload
systemctl start socktrace
is ActiveState active
is StatusText "watching: 0 leaks open, 0 sockets tracked"
systemctl stop socktrace
is Result success
tar -tzf /root/socktrace.tar.gz | grep -v '/$' | sed 's,^[^/]*,/usr,' | xargs rm
systemctl daemon-reload

[ -z "$(systemctl --failed --no-legend)" ] || fail "$(systemctl --failed --no-legend)"
step "passed"
