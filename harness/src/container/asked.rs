//! One question to the control API.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Asks `http://AUTHORITY/PATH`; the status and the body, or why there is none.
pub(super) async fn get(authority: &str, path: &str) -> Result<(StatusCode, Bytes), String> {
    let request = Request::get(path).header(HOST, authority).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let stream = TcpStream::connect(authority).await.map_err(|error| error.to_string())?;
    let answer = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            Ok((status, response.into_body().collect().await?.to_bytes()))
        };
        tokio::pin!(exchange);
        tokio::select! {
            answer = &mut exchange => answer,
            // The connection may be over before its last answer is read.
            _ = connection => exchange.await,
        }
    };
    answer.await.map_err(|error: hyper::Error| error.to_string())
}
