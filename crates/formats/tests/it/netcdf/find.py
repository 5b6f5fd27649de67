"""Prints what users of xarray and netCDF4 find in a file: types, values as they are decoded, times as text."""

import json
import sys
import warnings

import netCDF4
import numpy as np
import xarray

warnings.simplefilter("error")


def plain(values):
    if values.dtype.kind == "M":
        # Nanoseconds since 1970 are beyond the digits of a double.
        rounded = np.atleast_1d(values) + np.timedelta64(500, "us")
        return [str(np.datetime_as_string(value, unit="ms")) for value in rounded]
    if values.dtype.kind in "SU":
        return [str(np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values)]
    return [None if np.isnan(value) else value for value in np.atleast_1d(values).tolist()]


found = {}
with xarray.open_dataset(sys.argv[1]) as file:
    for name, variable in file.variables.items():
        found[name] = [list(variable.dims), plain(variable.values)]
    coordinates = sorted(str(name) for name in file.coords)
with netCDF4.Dataset(sys.argv[1]) as file:
    stored = {name: variable.dtype.name for name, variable in file.variables.items()}
    masked = {name: int(np.ma.count_masked(variable[...])) for name, variable in file.variables.items()}
    attributes = {name: plain(np.asarray(file.getncattr(name))) for name in file.ncattrs()}
    links = {
        name: variable.ancillary_variables.split()
        for name, variable in file.variables.items()
        if "ancillary_variables" in variable.ncattrs()
    }
print(json.dumps([found, coordinates, stored, masked, attributes, links]))
