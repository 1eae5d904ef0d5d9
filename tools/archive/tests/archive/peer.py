"""What the tests ask of moto's S3 server and of DuckDB, by boto3 and duckdb.

    peer.py create ENDPOINT BUCKET          makes a bucket
    peer.py fetch ENDPOINT BUCKET FOLDER    copies every object; prints what S3 says of each
    peer.py ask FOLDER parquet|json SCHEMA  answers the questions of SCHEMA.md over an archive; prints all rows
    peer.py columns FOLDER                  prints how DuckDB reads the Parquet files, and whether rows are in order
"""

import json
import pathlib
import re
import sys


def s3(endpoint):
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="ap-northeast-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def create(endpoint, bucket):
    s3(endpoint).create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"}
    )


def fetch(endpoint, bucket, folder):
    client, said = s3(endpoint), {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            target = pathlib.Path(folder, item["Key"])
            target.parent.mkdir(parents=True, exist_ok=True)
            got = client.get_object(Bucket=bucket, Key=item["Key"])
            target.write_bytes(got["Body"].read())
            keys = ["StorageClass", "ServerSideEncryption", "SSEKMSKeyId"]
            said[item["Key"]] = {key: got.get(key) for key in keys}
    print(json.dumps(said))


# The columns of the JSON form, by the names of the Parquet form; what the Athena view does.
OVER_JSON = """
    CAST(kakehashi."timestamp" AS TIMESTAMPTZ) AS asked_at, version, account_id, region, vpc_id, query_name,
    query_type, query_class, rcode, [{'rdata': a.Rdata, 'type': a.Type, 'class': a.Class} FOR a IN answers] AS answers, srcaddr, CAST(srcport AS INTEGER) AS srcport, transport,
    kakehashi.node AS node, kakehashi.network AS network, kakehashi.groups AS "groups", kakehashi."view" AS "view",
    kakehashi.route AS route, kakehashi.source AS source, kakehashi.upstream AS upstream,
    kakehashi.dnssec_ok AS dnssec_ok, kakehashi.checking_disabled AS checking_disabled,
    kakehashi.answer_size AS answer_size, kakehashi.duration_us AS duration_us,
    coalesce(kakehashi.sample, 1) AS weight
"""


def ask(folder, form, schema):
    import duckdb

    base = duckdb.connect()
    base.execute("SET TimeZone = 'UTC'")
    if form == "parquet":
        over, columns = f"read_parquet('{folder}/*/*/*/*/*/*/*.parquet', filename = true)", "* EXCLUDE (filename)"
    else:
        over = f"read_json('{folder}/*/*/*/*/*/*/*.json.*', format = 'newline_delimited', filename = true)"
        columns = OVER_JSON
    step = f"split_part(replace(filename, '{folder}/', ''), '/', %d)"
    owner = " || '/' || ".join(step % nth for nth in (1, 2))
    hour = " || '/' || ".join(step % nth for nth in (3, 4, 5, 6))
    base.execute(f"CREATE VIEW query_log AS SELECT {columns}, {owner} AS owner, {hour} AS hour_utc FROM {over}")
    questions = re.findall(r"```sql question\n(.*?)```", pathlib.Path(schema).read_text(), re.S)
    rows = [base.execute(question).fetchall() for question in questions]
    print(json.dumps(rows, default=str))


def columns(folder):
    import duckdb

    files = f"read_parquet('{folder}/*/*/*/*/*/*/*.parquet', filename = true, file_row_number = true)"
    described = duckdb.sql(f"DESCRIBE SELECT * EXCLUDE (filename, file_row_number) FROM {files}").fetchall()
    late = f"SELECT asked_at < lag(asked_at) OVER (PARTITION BY filename ORDER BY file_row_number) AS late FROM {files}"
    out_of_order = duckdb.sql(f"SELECT count(*) FROM ({late}) WHERE late").fetchall()[0][0]
    meta = f"SELECT DISTINCT compression FROM parquet_metadata('{folder}/*/*/*/*/*/*/*.parquet')"
    packed = [row[0] for row in duckdb.sql(meta).fetchall()]
    dictionary = f"""SELECT count(*) FROM parquet_metadata('{folder}/*/*/*/*/*/*/*.parquet')
        WHERE path_in_schema = 'source' AND encodings LIKE '%DICTIONARY%'"""
    print(
        json.dumps(
            {
                "columns": {row[0]: row[1] for row in described},
                "out_of_order": out_of_order,
                "compression": packed,
                "dictionaries": duckdb.sql(dictionary).fetchall()[0][0],
            }
        )
    )


if __name__ == "__main__":
    {"create": create, "fetch": fetch, "ask": ask, "columns": columns}[sys.argv[1]](*sys.argv[2:])
