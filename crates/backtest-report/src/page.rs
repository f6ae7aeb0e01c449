//! The page around plots and tables.

use crate::chart::{escape, push};

const STYLE: &str = include_str!("page.css");

/// A table with its caption.
pub(crate) struct Table {
    pub(crate) caption: String,
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// A page that is being written.
pub(crate) struct Page {
    out: String,
    in_section: bool,
}

impl Page {
    pub(crate) fn new(title: &str) -> Self {
        let mut out = String::new();
        let title = escape(title);
        push(
            &mut out,
            format_args!(
                "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
                 <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
                 <meta http-equiv=\"Content-Security-Policy\" \
                 content=\"default-src 'none'; style-src 'unsafe-inline'\">\
                 <title>{title}</title>\n<style>\n{STYLE}</style></head>\n<body><main>\
                 <h1>{title}</h1>\n"
            ),
        );
        Self {
            out,
            in_section: false,
        }
    }

    pub(crate) fn facts(&mut self, facts: &[(String, String)]) {
        self.out.push_str("<dl>");
        for (name, value) in facts {
            push(
                &mut self.out,
                format_args!("<dt>{}</dt><dd>{}</dd>", escape(name), escape(value)),
            );
        }
        self.out.push_str("</dl>\n");
    }

    pub(crate) fn section(&mut self, title: &str, text: &str) {
        self.close_section();
        self.in_section = true;
        push(
            &mut self.out,
            format_args!(
                "<section><h2>{}</h2><p>{}</p>\n",
                escape(title),
                escape(text)
            ),
        );
    }

    /// A plot with its numbers beside it, folded away.
    pub(crate) fn figure(&mut self, svg: &str, table: &Table) {
        let caption = escape(&table.caption);
        push(
            &mut self.out,
            format_args!(
                "<figure>{svg}<figcaption>{caption}</figcaption>\
                 <details><summary>Numbers: {caption}</summary>"
            ),
        );
        self.table(table);
        self.out.push_str("</details></figure>\n");
    }

    pub(crate) fn table(&mut self, table: &Table) {
        // A table that is wider than the page scrolls on its own, also by keyboard.
        push(
            &mut self.out,
            format_args!(
                "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\">\
                 <table><caption>{0}</caption><thead><tr>",
                escape(&table.caption)
            ),
        );
        for name in &table.header {
            push(
                &mut self.out,
                format_args!("<th scope=\"col\">{}</th>", escape(name)),
            );
        }
        self.out.push_str("</tr></thead><tbody>");
        for row in &table.rows {
            self.out.push_str("<tr>");
            for (index, cell) in row.iter().enumerate() {
                let cell = escape(cell);
                if index == 0 {
                    push(&mut self.out, format_args!("<th scope=\"row\">{cell}</th>"));
                } else {
                    push(&mut self.out, format_args!("<td>{cell}</td>"));
                }
            }
            self.out.push_str("</tr>");
        }
        self.out.push_str("</tbody></table></div>\n");
    }

    fn close_section(&mut self) {
        if self.in_section {
            self.out.push_str("</section>\n");
        }
    }

    pub(crate) fn finish(mut self) -> String {
        self.close_section();
        self.out.push_str("</main></body></html>\n");
        self.out
    }
}
