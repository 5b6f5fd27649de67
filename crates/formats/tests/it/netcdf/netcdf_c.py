"""Tells what netCDF-C finds in a file, or writes a file with it; see netcdf/mod.rs.

tell FILE...          prints for each file its definition and values as JSON, values as the bytes of their type, big end first
write FORMAT FILE     writes a file with what the format has, and prints the same of it
"""

import json
import sys

import netCDF4
import numpy as np


def encoded(value):
    if isinstance(value, list):
        value = "".join(value)
    if isinstance(value, str):
        return ["char", value.encode().hex()]
    if isinstance(value, bytes):
        return ["char", value.hex()]
    array = np.atleast_1d(np.asarray(value))
    return [array.dtype.name, array.astype(array.dtype.newbyteorder(">")).tobytes().hex()]


def tell(path):
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        file.set_auto_chartostring(False)
        variables = [
            [name, list(variable.dimensions), attributes(variable), *typed(variable)]
            for name, variable in file.variables.items()
        ]
        dimensions = [[name, len(each), each.isunlimited()] for name, each in file.dimensions.items()]
        return [file.data_model, dimensions, attributes(file), variables]


def typed(variable):
    if variable.dtype is str:
        return ["text", ""]
    if variable.dtype == "S1":
        return ["char", variable[...].tobytes().hex()]
    return encoded(variable[...])


def attributes(holder):
    return [[name, *encoded(holder.getncattr(name))] for name in holder.ncattrs()]


def write(form, path):
    extended = form == "NETCDF3_64BIT_DATA"
    with netCDF4.Dataset(path, "w", format=form) as file:
        file.title = "Mangōpare"
        file.numbers = np.array([1, -2, 3], dtype="i2")
        file.createDimension("row", 5)
        file.createDimension("text", 3)
        file.createDimension("record", None)
        for kind in ["i1", "i2", "i4", "f4", "f8"] + (["u1", "u2", "u4", "i8", "u8"] if extended else []):
            fixed = file.createVariable(f"fixed_{kind}", kind, ("row",), fill_value=7)
            fixed.valid_min = np.array(-3, dtype=kind) if not kind.startswith("u") else np.array(3, dtype=kind)
            fixed[1:] = np.arange(4)
            grown = file.createVariable(f"grown_{kind}", kind, ("record", "text"))
            grown[:] = np.arange(12).reshape(4, 3)
        file.createVariable("letters", "S1", ("row", "text"))[:] = np.array([list("abc")] * 5, dtype="S1")
        file.createVariable("scalar", "f8", ())[...] = np.nan


if sys.argv[1] == "tell":
    files = sys.argv[2:]
else:
    files = [sys.argv[3]]
    write(sys.argv[2], files[0])
print(json.dumps([tell(path) for path in files]))
