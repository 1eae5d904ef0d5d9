//! What makes the archive a table of Amazon Athena, from the networks that the configuration lists.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use kakehashi::config::{Archive, ArchiveFormat, ArchiveTarget, Config};

use crate::columns::{COLUMNS, Kind};

/// The statements that create it.
pub fn tables(config: &Config, archive: &Archive) -> String {
    let location = match &archive.to {
        ArchiveTarget::Bucket(bucket) => format!("s3://{}/{}", bucket.name, bucket.prefix),
        ArchiveTarget::Folder(_) => "s3://BUCKET/PREFIX".to_owned(),
    };
    let location = location.trim_end_matches('/');
    let known = |network: &kakehashi::config::Network| {
        let account = network.account_id.as_deref().unwrap_or("no-account");
        format!("{account}/{}", network.vpc_id.as_deref().unwrap_or("no-vpc"))
    };
    let mut owners: BTreeSet<String> = config.networks.iter().map(known).collect();
    // Clients in no network.
    owners.insert("no-account/no-vpc".to_owned());
    let owners = owners.into_iter().collect::<Vec<_>>().join(",");
    let partitions = format!(
        "PARTITIONED BY (`owner` string, `hour_utc` string)
{}
LOCATION '{location}/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.owner.type' = 'enum',
  'projection.owner.values' = '{owners}',
  'projection.hour_utc.type' = 'date',
  'projection.hour_utc.format' = 'yyyy/MM/dd/HH',
  'projection.hour_utc.range' = '2026/01/01/00,NOW',
  'projection.hour_utc.interval' = '1',
  'projection.hour_utc.interval.unit' = 'HOURS',
  'storage.location.template' = '{location}/${{owner}}/${{hour_utc}}/'
);
",
        stored_as(archive.format)
    );
    match archive.format {
        ArchiveFormat::Parquet => {
            let columns = columns(|kind, name| (format!("`{name}`"), hive(kind)));
            format!("CREATE EXTERNAL TABLE query_log (\n{columns}\n)\n{partitions}")
        }
        ArchiveFormat::JsonGzip | ArchiveFormat::JsonZstd => {
            format!("CREATE EXTERNAL TABLE query_log_lines (\n{LINE}\n)\n{partitions}\n{VIEW}")
        }
    }
}

fn stored_as(format: ArchiveFormat) -> &'static str {
    match format {
        ArchiveFormat::Parquet => "STORED AS PARQUET",
        ArchiveFormat::JsonGzip | ArchiveFormat::JsonZstd => {
            "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"
        }
    }
}

fn columns(describe: impl Fn(Kind, &str) -> (String, &'static str)) -> String {
    let mut text = String::new();
    for (nth, column) in COLUMNS.iter().enumerate() {
        let (name, kind) = describe(column.kind, column.name);
        let comma = if nth + 1 < COLUMNS.len() { ",\n" } else { "" };
        // Writing to a String does not fail.
        let _ = write!(text, "  {name} {kind}{comma}");
    }
    text
}

fn hive(kind: Kind) -> &'static str {
    match kind {
        Kind::Time => "timestamp",
        Kind::Text => "string",
        Kind::Short => "int",
        Kind::Long | Kind::Weight => "bigint",
        Kind::Flag => "boolean",
        Kind::Texts => "array<string>",
        Kind::Answers => "array<struct<rdata:string,type:string,class:string>>",
    }
}

/// A line as the server writes it.
const LINE: &str = "  `version` string,
  `account_id` string,
  `region` string,
  `vpc_id` string,
  `query_timestamp` string,
  `query_name` string,
  `query_type` string,
  `query_class` string,
  `rcode` string,
  `answers` array<struct<rdata:string,type:string,class:string>>,
  `srcaddr` string,
  `srcport` string,
  `transport` string,
  `kakehashi` struct<node:string,network:string,groups:array<string>,view:string,route:string,source:string,upstream:string,dnssec_ok:boolean,checking_disabled:boolean,answer_size:bigint,duration_us:bigint,ede:int,answers_omitted:int,sample:bigint,timestamp:string>";

/// The columns of the Parquet form over it, so that the same questions can be asked.
const VIEW: &str = r#"CREATE OR REPLACE VIEW query_log AS
SELECT
  CAST(from_iso8601_timestamp(kakehashi."timestamp") AS timestamp(6)) AS asked_at,
  version, account_id, region, vpc_id, query_name, query_type, query_class, rcode, answers,
  srcaddr, CAST(srcport AS integer) AS srcport, transport,
  kakehashi.node AS node, kakehashi.network AS network, kakehashi.groups AS groups, kakehashi."view" AS "view",
  kakehashi.route AS route, kakehashi.source AS source, kakehashi.upstream AS upstream,
  kakehashi.dnssec_ok AS dnssec_ok, kakehashi.checking_disabled AS checking_disabled,
  kakehashi.answer_size AS answer_size, kakehashi.duration_us AS duration_us, kakehashi.ede AS ede,
  kakehashi.answers_omitted AS answers_omitted, COALESCE(kakehashi.sample, 1) AS weight,
  owner, hour_utc
FROM query_log_lines;
"#;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(format: &str) -> String {
        let text = format!(
            "[archive]\nto = \"s3://technova-dns-archive/query-log\"\nformat = \"{format}\"\n\
             [[network]]\nname = \"a\"\ncidr = [\"10.0.30.0/24\"]\naccount-id = \"123456789012\"\nvpc-id = \"vpc-0abc\"\n"
        );
        let config = kakehashi::config::load_text("test", &text, "/").unwrap().config;
        tables(&config, config.archive.as_ref().unwrap())
    }

    #[test]
    fn the_table_finds_the_folders_that_pieces_are_put_into() {
        let sql = of("parquet");
        assert!(
            sql.contains("'projection.owner.values' = '123456789012/vpc-0abc,no-account/no-vpc'"),
            "{sql}"
        );
        assert!(sql.contains("= 's3://technova-dns-archive/query-log/${owner}/${hour_utc}/'"), "{sql}");
        assert!(sql.contains("  `answers` array<struct<rdata:string,type:string,class:string>>,\n"), "{sql}");
    }

    #[test]
    fn both_forms_can_be_asked_by_the_same_names() {
        let sql = of("json-gzip");
        for column in COLUMNS.iter().filter(|column| column.name != "other") {
            assert!(sql.contains(column.name), "{}", column.name);
        }
    }
}
