//! What a proven leak is called and who is blamed: pure functions.
