"""What others need for the same: DuckDB, and pandas as the first version of the pipeline used it. Prints seconds and MiB."""
import resource
import sys
import time

TYPES = {
    "sales_order_id": "INTEGER", "created_at": "TIMESTAMP", "last_updated": "TIMESTAMP", "design_id": "INTEGER",
    "staff_id": "INTEGER", "counterparty_id": "INTEGER", "units_sold": "INTEGER", "unit_price": "DECIMAL(10,2)",
    "currency_id": "INTEGER", "agreed_delivery_date": "DATE", "agreed_payment_date": "DATE",
    "agreed_delivery_location_id": "INTEGER",
}
FACT = """SELECT sales_order_id, created_at::DATE AS created_date, created_at::TIME AS created_time,
  last_updated::DATE AS last_updated_date, last_updated::TIME AS last_updated_time, staff_id AS sales_staff_id,
  counterparty_id, units_sold, unit_price, currency_id, design_id, agreed_payment_date, agreed_delivery_date,
  agreed_delivery_location_id"""


def duckdb_parquet(csv, parquet):
    import duckdb
    began = time.perf_counter()
    duckdb.sql("SET threads = 2")
    duckdb.sql(f"COPY ({FACT} FROM read_csv('{csv}', header = true, columns = {TYPES})) "
               f"TO '{parquet}' (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 131072)")
    return time.perf_counter() - began


def duckdb_load(parquet, database):
    import duckdb
    from duckdb_extensions import import_extension
    import_extension("postgres_scanner")
    began = time.perf_counter()
    duckdb.sql("LOAD postgres")
    duckdb.sql(f"ATTACH '{database}' AS warehouse (TYPE postgres)")
    columns = [row[0] for row in duckdb.sql(f"DESCRIBE SELECT * FROM '{parquet}'").fetchall()]
    names = ", ".join(columns)
    duckdb.sql(f"INSERT INTO warehouse.fact_sales_order ({names}) SELECT {names} FROM '{parquet}'")
    return time.perf_counter() - began


def pandas_parquet(csv, parquet, rows):
    import pandas
    began = time.perf_counter()
    frame = pandas.read_csv(csv, nrows=int(rows))
    for column, name in [("created_at", "created"), ("last_updated", "last_updated")]:
        parts = frame[column].str.split(" ", expand=True)
        frame[f"{name}_date"], frame[f"{name}_time"] = parts[0], parts[1]
    frame = frame.drop(columns=["created_at", "last_updated"]).rename(columns={"staff_id": "sales_staff_id"})
    frame.to_parquet(parquet)
    return time.perf_counter() - began


WAYS = {"parquet": duckdb_parquet, "load": duckdb_load, "pandas": pandas_parquet}
seconds = WAYS[sys.argv[1]](*sys.argv[2:])
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
