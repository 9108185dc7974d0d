//! The pages: built by `web/`, embedded in the program, served with a strict content security policy.

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use rust_embed::RustEmbed;

/// Nothing from elsewhere, no inline script or style, no frames, no forms, trusted types.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types svelte-trusted-html";

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

const NOT_BUILT: &str = "The pages are not built into this program. Run `make web` and build again.\n\
                         Die Seiten sind in diesem Programm nicht enthalten. `make web` ausführen und neu bauen.\n";

/// Whether the pages were there when the program was built.
#[must_use]
pub fn are_built() -> bool {
    Dist::get("index.html").is_some()
}

/// Serves one file, or the page itself for `/`. Anything else does not exist.
pub(crate) async fn serve(request: Request<Body>) -> Response<Body> {
    let path = match request.uri().path() {
        "/" => "index.html",
        other => other.trim_start_matches('/'),
    };
    let Some(file) = Dist::get(path) else {
        let (status, text) = if path == "index.html" {
            (StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT)
        } else {
            (StatusCode::NOT_FOUND, "")
        };
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        return response;
    };
    // Vite names everything but the page by its content, so it may be kept for ever.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let etag: String = file.metadata.sha256_hash().iter().take(16).map(|b| format!("{b:02x}")).collect();
    let etag = format!("\"{etag}\"");
    if request.headers().get(header::IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == etag.as_bytes()) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    let mut response = Response::new(Body::from(file.data.into_owned()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(value) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, value);
    }
    response
}

/// Nothing here takes anything but GET and HEAD; and what is not there, is not there for any method.
pub(crate) async fn not_for_reading(request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().trim_start_matches('/');
    let mut response = Response::new(Body::empty());
    if path.is_empty() || Dist::get(path).is_some() {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    } else {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, end)| end) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "json" | "webmanifest" => "application/json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
