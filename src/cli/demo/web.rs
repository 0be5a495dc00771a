//! A web server that says on which node it runs, and the question to it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

/// Where it listens.
pub(super) const PORT: u16 = 80;

/// What a client asks.
pub(super) const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// A client that asks nothing for so long is gone.
const PATIENCE: Duration = Duration::from_millis(50);

/// Answers every request with `name` until the process is killed.
pub(super) fn serve(name: &str) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
    let answer = format!(
        "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{name}\n",
        name.len() + 1
    );
    for client in listener.incoming().flatten() {
        let _ = respond(client, &answer); // the client has noticed
    }
    Ok(())
}

fn respond(mut client: TcpStream, answer: &str) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut request = [0; 512];
    if client.read(&mut request)? > 0 {
        client.write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// The name in an answer.
pub(super) fn name_in(answer: &str) -> Option<&str> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let name = body.trim_end();
    (head.starts_with("HTTP/1.0 200") && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_carries_the_name_of_its_node() {
        assert_eq!(
            name_in("HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nnode1\n"),
            Some("node1")
        );
        assert_eq!(name_in("HTTP/1.0 200 OK\r\n\r\n"), None);
        assert_eq!(name_in("HTTP/1.0 503 Busy\r\n\r\nnode1\n"), None);
    }
}
