"""What others need for the same Exchange file: a Lambda handler that counts rows with pandas, and cchdo.hydro, which reads it
whole. Prints the milliseconds of the best of so many turns, imports not counted, and the observations found."""
import io
import re
import sys
import time
import zipfile


def rows_of(text, is_cast):
    """Rows as the handler counts them: it takes the second line for the units and the last for END_DATA."""
    import pandas
    lines = [line for line in text.splitlines()[1:] if not line.startswith("#")]
    if is_cast:
        lines = [line for line in lines if "=" not in line]
    del lines[1], lines[-1]
    return len(pandas.read_csv(io.StringIO("\n".join(lines)), low_memory=False))


def handler(path):
    with open(path, "rb") as file:
        content = file.read()
    if not path.endswith(".zip"):
        return rows_of(content.decode("iso-8859-1"), False)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [name for name in archive.namelist() if name.endswith(".csv")]
        return sum(rows_of(archive.read(name).decode("iso-8859-1"), True) for name in members)


def hydro(path):
    """Columns that it does not know are left out, for it would refuse the file."""
    from cchdo.hydro.exchange import read_exchange
    dataset = read_exchange(path, ignore_columns=IGNORED, checks={"flags": False})
    return int(dataset["pressure"].notnull().sum())


def find_out_what_to_ignore(path):
    while True:
        try:
            return hydro(path)
        except ValueError as refused:
            columns = re.findall(r"'([^']+)'", str(refused))
            if not columns or set(columns) <= set(IGNORED):
                raise
            IGNORED.extend(columns)


IGNORED = []
way, path, turns = sys.argv[1], sys.argv[2], int(sys.argv[3])
work = {"handler": handler, "hydro": hydro}[way]
if way == "hydro":
    find_out_what_to_ignore(path)
else:
    work(path)
best = float("inf")
for _ in range(turns):
    began = time.perf_counter()
    observations = work(path)
    best = min(best, time.perf_counter() - began)
print(best * 1000, observations)
