//! A person with a browser, for services on this machine: cookies, redirects, forms. No scripts, and nothing but plain HTTP on loopback;
//! what a real browser makes of the pages is for a real browser to show.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// The longest way of redirects.
const LONGEST_WAY: usize = 20;

/// A browser of somebody.
#[derive(Debug, Default, Clone)]
pub struct Visitor {
    /// By host, without the port: that is how browsers keep them.
    cookies: Vec<(String, String, String)>,
    /// Every address that was asked, in order.
    pub visited: Vec<String>,
}

/// A page that was got.
#[derive(Debug, Clone)]
pub struct Page {
    /// Where it is from.
    pub url: String,
    /// The HTTP status.
    pub status: u16,
    /// Headers with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The text.
    pub body: String,
}

/// A form of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Where it goes, as the page says.
    pub action: String,
    /// Whether it is posted.
    pub is_post: bool,
    /// Fields with their values, buttons that have a name among them.
    pub fields: Vec<(String, String)>,
}

impl Page {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The forms, in order.
    pub fn forms(&self) -> Vec<Form> {
        let mut forms: Vec<Form> = Vec::new();
        let mut open = false;
        for tag in self.body.split('<').skip(1) {
            let tag = tag.split('>').next().unwrap_or_default();
            let name = tag.split(|c: char| c.is_ascii_whitespace() || c == '/').next().unwrap_or_default().to_ascii_lowercase();
            match name.as_str() {
                "form" => {
                    open = true;
                    let is_post = attribute(tag, "method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
                    forms.push(Form { action: attribute(tag, "action").unwrap_or_default(), is_post, fields: Vec::new() });
                }
                "" if tag.to_ascii_lowercase().starts_with("/form") => open = false,
                "input" | "button" | "select" | "textarea" if open => {
                    if let (Some(form), Some(name)) = (forms.last_mut(), attribute(tag, "name")) {
                        form.fields.push((name, attribute(tag, "value").unwrap_or_default()));
                    }
                }
                _ => {}
            }
        }
        forms
    }

    /// The first form with a field of that name.
    pub fn form_with(&self, name: &str) -> Option<Form> {
        self.forms().into_iter().find(|form| form.fields.iter().any(|(own, _)| own == name))
    }
}

/// The value of an attribute in a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let at = tag.match_indices(&format!("{name}=")).find(|(at, _)| tag[..*at].ends_with(|c: char| c.is_ascii_whitespace()))?.0;
    let rest = &tag[at + name.len() + 1..];
    let value = match rest.chars().next()? {
        quote @ ('"' | '\'') => rest[1..].split(quote).next()?,
        _ => rest.split(|c: char| c.is_ascii_whitespace()).next()?,
    };
    let value =
        value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#34;", "\"").replace("&#39;", "'");
    Some(value.replace("&#x27;", "'").replace("&#x2F;", "/").replace("&#38;", "&").replace("&amp;", "&"))
}

impl Visitor {
    /// Somebody without cookies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an address and goes where it leads.
    pub fn get(&mut self, url: &str) -> Result<Page, String> {
        self.go("GET", url, None)
    }

    /// Posts a form and goes where that leads.
    pub fn post(&mut self, url: &str, fields: &[(String, String)]) -> Result<Page, String> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.go("POST", url, Some(("application/x-www-form-urlencoded", body)))
    }

    /// Submits a form of a page, with these fields in place of its own or beside them.
    pub fn submit(&mut self, page: &Page, form: &Form, values: &[(&str, &str)]) -> Result<Page, String> {
        let mut fields: Vec<(String, String)> =
            form.fields.iter().filter(|(name, _)| values.iter().all(|(own, _)| own != name)).cloned().collect();
        fields.extend(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let base = url::Url::parse(&page.url).map_err(|error| error.to_string())?;
        let target = base.join(&form.action).map_err(|error| error.to_string())?;
        match form.is_post {
            true => self.post(target.as_str(), &fields),
            false => {
                let mut target = target;
                target.query_pairs_mut().clear().extend_pairs(&fields);
                self.get(target.as_str())
            }
        }
    }

    /// Opens an address that wants to know who one is: signs in at the box's company on the way, and gives the page that comes after.
    pub fn sign_in(&mut self, url: &str, login: &str, password: &str) -> Result<Page, String> {
        let mut page = self.get(url)?;
        for _ in 0..4 {
            page = if let Some(form) = page.form_with("SAMLResponse") {
                self.submit(&page, &form, &[])?
            } else if let Some(form) = page.form_with("ticket") {
                self.submit(&page, &form, &[("login", login), ("password", password)])?
            } else {
                return Ok(page);
            };
        }
        Ok(page)
    }

    /// Somebody with the cookies that [`Self::kept`] gave.
    pub fn with(kept: &str) -> Self {
        let cookie = |line: &str| {
            let mut parts = line.splitn(3, '\t').map(str::to_owned);
            Some((parts.next()?, parts.next()?, parts.next()?))
        };
        Self { cookies: kept.lines().filter_map(cookie).collect(), visited: Vec::new() }
    }

    /// The cookies, for another time.
    pub fn kept(&self) -> String {
        self.cookies.iter().map(|(host, name, value)| format!("{host}\t{name}\t{value}\n")).collect()
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(_, own, _)| own == name).map(|(_, _, value)| value.as_str())
    }

    /// Asks an interface as a page of the service does: with the session's cookie, and the token of the page's forms.
    pub fn ask(
        &mut self,
        method: &str,
        url: &str,
        csrf: &str,
        more: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Page, String> {
        let headers: Vec<(&str, &str)> = std::iter::once(("x-csrf-token", csrf)).chain(more.iter().copied()).collect();
        self.once(method, url, body.map(|body| ("application/json", body)), &headers)
    }

    fn go(&mut self, method: &str, url: &str, body: Option<(&str, String)>) -> Result<Page, String> {
        let page = [("accept", "text/html")];
        let mut got = self.once(method, url, body, &page)?;
        for _ in 0..LONGEST_WAY {
            let Some(location) = got.header("location").filter(|_| matches!(got.status, 301 | 302 | 303 | 307 | 308)) else {
                return Ok(got);
            };
            let base = url::Url::parse(&got.url).map_err(|error| error.to_string())?;
            let next = base.join(location).map_err(|error| error.to_string())?;
            if !is_here(&next) {
                return Ok(got);
            }
            got = self.once("GET", next.as_str(), None, &page)?;
        }
        Err("it leads around in circles".to_owned())
    }

    /// One request.
    fn once(&mut self, method: &str, url: &str, body: Option<(&str, String)>, more: &[(&str, &str)]) -> Result<Page, String> {
        let address = url::Url::parse(url).map_err(|error| format!("{url}: {error}"))?;
        if !is_here(&address) {
            return Err(format!("{url} is not on this machine"));
        }
        self.visited.push(url.to_owned());
        let host = address.host_str().unwrap_or_default().to_owned();
        let port = address.port_or_known_default().unwrap_or(80);
        let cookies: Vec<String> =
            self.cookies.iter().filter(|(own, ..)| *own == host).map(|(_, name, value)| format!("{name}={value}")).collect();
        let path = &address[url::Position::BeforePath..url::Position::AfterQuery];
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n");
        for (name, value) in more {
            head += &format!("{name}: {value}\r\n");
        }
        if !cookies.is_empty() {
            head += &format!("cookie: {}\r\n", cookies.join("; "));
        }
        let text = body.as_ref().map_or("", |(_, text)| text.as_str());
        if method != "GET" {
            head += &format!("origin: {}\r\ncontent-length: {}\r\n", address.origin().ascii_serialization(), text.len());
        }
        if let Some((media, _)) = &body {
            head += &format!("content-type: {media}\r\n");
        }
        let answer = exchange(&host, port, &format!("{head}\r\n{text}"))?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer without a head")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("an answer without a status")?;
        let headers: Vec<(String, String)> = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())))
            .collect();
        let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value.eq_ignore_ascii_case("chunked"));
        for (_, value) in headers.iter().filter(|(name, _)| name == "set-cookie") {
            self.keep(&host, value);
        }
        let body = if is_chunked { unchunked(body)? } else { body.to_owned() };
        Ok(Page { url: url.to_owned(), status, headers, body })
    }

    fn keep(&mut self, host: &str, line: &str) {
        let Some((name, value)) = line.split(';').next().and_then(|pair| pair.split_once('=')) else { return };
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        self.cookies.retain(|(own, known, _)| own != host || *known != name);
        let is_over = line.to_ascii_lowercase().contains("max-age=0");
        if !is_over && !value.is_empty() {
            self.cookies.push((host.to_owned(), name, value));
        }
    }
}

fn is_here(url: &url::Url) -> bool {
    url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "localhost"))
}

fn exchange(host: &str, port: u16, request: &str) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{host}:{port}: {error}");
    let mut stream = TcpStream::connect((host, port)).map_err(failed)?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).map_err(failed)?;
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(failed)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn unchunked(mut body: &str) -> Result<String, String> {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n").ok_or("a piece without a length")?;
        let size =
            usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).map_err(|error| error.to_string())?;
        if size == 0 {
            return Ok(whole);
        }
        whole += rest.get(..size).ok_or("a piece that is too short")?;
        body = rest.get(size + 2..).ok_or("a piece without an end")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_as_they_occur() {
        let body = "<form action='/a?x=1&amp;y=2' method=POST><input type=hidden name=\"n\" value=\"&lt;&#39;v\"><button name=go value=yes>Go</button>\
                    </form><input name=outside><form action=\"b\"><input name=q></form>";
        let page = Page { url: "http://127.0.0.1:1/".to_owned(), status: 200, headers: Vec::new(), body: body.to_owned() };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            page.forms(),
            [
                Form { action: "/a?x=1&y=2".to_owned(), is_post: true, fields: vec![pair("n", "<'v"), pair("go", "yes")] },
                Form { action: "b".to_owned(), is_post: false, fields: vec![pair("q", "")] },
            ]
        );
        assert!(page.form_with("q").is_some() && page.form_with("outside").is_none());
    }

    #[test]
    fn pieces_become_a_whole() {
        assert_eq!(unchunked("3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n").unwrap(), "abcde");
        assert!(unchunked("3\r\nab").is_err());
    }

    #[test]
    fn a_company_signs_somebody_in_at_its_own_address() {
        let sandbox = crate::Sandbox::start(crate::Options::default()).unwrap();
        let front = sandbox.open_front().unwrap();
        let page = Visitor::new().get(&format!("{front}/saml/metadata")).unwrap();
        assert!(page.status == 200 && page.body.contains(&format!("entityID=\"{front}/saml/metadata\"")), "{}", page.body);
        assert!(Visitor::new().get("https://127.0.0.1/").is_err() && Visitor::new().get("http://example.com/").is_err());
    }
}
