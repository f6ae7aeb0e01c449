//! Logging in with a token, and out.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use foretide_api::orchestration::v1::ListRunsRequest;
use http::StatusCode;
use serde::Deserialize;
use tonic::Code;

use crate::calls::request;
use crate::error::PageError;
use crate::page::{self, Frame};
use crate::routes::Console;
use crate::session::{self, Session};

#[derive(Deserialize)]
pub(crate) struct LoginQuery {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(crate) struct LoginForm {
    #[serde(default)]
    token: String,
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(crate) struct LogoutForm {
    #[serde(default)]
    form_token: String,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    frame: Frame,
    next: &'a str,
    problem: &'a str,
}

pub(crate) async fn show(Query(query): Query<LoginQuery>) -> Response {
    login_page(StatusCode::OK, &query.next, "")
}

pub(crate) async fn log_in(
    State(console): State<Arc<Console>>,
    Form(form): Form<LoginForm>,
) -> Result<Response, PageError> {
    let refused = |problem| Ok(login_page(StatusCode::UNAUTHORIZED, &form.next, problem));
    let Some(token) = session::checked_token(&form.token) else {
        return refused("This is not a token. Paste the whole token, without spaces.");
    };
    // any call tells whether the services know the token
    let peers = console.peers.with_token(&token);
    let answer = peers
        .orchestrator()
        .list_runs(request(ListRunsRequest { limit: 1 }))
        .await;
    match answer {
        Ok(_) => {}
        Err(status) if status.code() == Code::Unauthenticated => {
            return refused("This token is not known. It may have expired.");
        }
        Err(status) => return Err(PageError::from_status("orchestrator", status)),
    }
    let config = &console.config;
    let cookie = session::keep(&token, config.session_minutes, config.secure_cookies);
    Ok(([cookie], Redirect::to(session::own_address(&form.next))).into_response())
}

pub(crate) async fn log_out(
    session: Session,
    Form(form): Form<LogoutForm>,
) -> Result<Response, PageError> {
    session.check_form(&form.form_token)?;
    Ok(([session::forget()], Redirect::to("/login")).into_response())
}

fn login_page(status: StatusCode, next: &str, problem: &str) -> Response {
    let next = session::own_address(next);
    page::render(
        status,
        &LoginPage {
            frame: Frame::outside("Log in"),
            next,
            problem,
        },
    )
}
