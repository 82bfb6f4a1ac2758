//! A server of one answer, which ends with code 0 on SIGTERM.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn _exit(code: i32) -> !;
}

const SIGTERM: i32 = 15;

extern "C" fn stop(_: i32) {
    unsafe { _exit(0) }
}

/// Answers GET `path` with `body`, everything else with 404.
pub fn serve(path: &str, body: &str) {
    unsafe { signal(SIGTERM, stop) };
    let port = std::env::var("HTTP_PORT").expect("HTTP_PORT");
    let listener = TcpListener::bind(format!("0.0.0.0:{port}")).expect("bind");
    std::fs::write("/tmp/started", "yes").expect("/tmp is writable");
    println!("listening on {port}: {body}");
    for stream in listener.incoming().flatten() {
        let mut request = String::new();
        let mut reader = BufReader::new(&stream);
        let _ = reader.read_line(&mut request);
        let mut header = String::new();
        while reader.read_line(&mut header).is_ok_and(|n| n > 2) {
            header.clear();
        }
        let status = if request.starts_with(&format!("GET {path} ")) { "200 OK" } else { "404 Not Found" };
        let _ = write!(&stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    }
}
