"""Writes what users' programs write as NetCDF-4: profiles as data centres give them, and a table by xarray."""

import sys

import netCDF4
import numpy as np
import xarray as xr

with netCDF4.Dataset(sys.argv[1], "w") as file:
    file.setncatts({"title": "a cruise", "Conventions": "CF-1.8", "featureType": "profile"})
    file.setncatts({f"extra{number:02}": f"v{number}" for number in range(12)})
    file.createDimension("N_PROF", None)
    file.createDimension("N_LEVELS", 40)
    file.createDimension("letters", 8)

    def variable(name, kind, dimensions, chunks=None, attributes=None, **options):
        made = file.createVariable(name, kind, dimensions, chunksizes=chunks, **options)
        made.setncatts(attributes or {})
        return made

    one, two = ("N_PROF",), ("N_PROF", "N_LEVELS")
    named = lambda name, units: {"standard_name": name, "units": units}
    time = variable("time", "f8", one, (4,), named("time", "days since 1950-01-01T00:00:00Z"))
    latitude = variable("latitude", "f8", one, (4,), named("latitude", "degree_north"))
    longitude = variable("longitude", "f8", one, (4,), named("longitude", "degree_east"))
    pressure = variable(
        "pressure", "f8", two, (1, 40), named("sea_water_pressure", "dbar"), zlib=True, shuffle=True, fill_value=np.nan
    )
    temperature = variable("ctd_temperature", ">f4", two, (2, 16), {"units": "degC"}, zlib=True, fletcher32=True)
    flags = variable("ctd_temperature_qc", "i1", two, (1, 40), zlib=True, fill_value=9)
    flags.flag_values = np.arange(10, dtype="i1")
    station = variable("station", str, one, (4,))
    cast = variable("cast", "i2", one, (4,))
    expocode = variable("expocode", "S1", ("N_PROF", "letters"), (1, 8))
    crs = variable("crs", "i4", ())
    crs.grid_mapping_name = "latitude_longitude"
    group = file.createGroup("meta")
    group.createVariable("weight", "u2", ("N_LEVELS",))[:] = np.arange(40)
    pair = file.createCompoundType(np.dtype([("a", "i4"), ("b", "f4")]), "pair")
    file.createVariable("pairs", pair, ("N_LEVELS",))
    for at, levels in enumerate([40, 25, 10]):
        time[at] = 27000 + at + 0.5
        latitude[at], longitude[at] = -30.5 - at, 179.5 + at / 4
        pressure[at, :levels] = np.arange(levels) * 2.0
        temperature[at, :levels] = 20 - np.arange(levels) / 8
        flags[at, :levels] = 2
        station[at], cast[at] = f"T{at + 1}", at + 1
        expocode[at] = netCDF4.stringtochar(np.array(["99ZZ2024"], "S8"))[0]

table = xr.Dataset(
    {"level": (("x",), np.arange(10.0)), "name": (("x",), np.array(["a", "bcd"] * 5))},
    coords={"x": np.arange(10)},
    attrs={"title": "by xarray"},
)
table.to_netcdf(sys.argv[2])
