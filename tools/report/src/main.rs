//! `kakehashi-report`: query logs and archives → a report, or the answer to a question in SQL.

fn main() {}
