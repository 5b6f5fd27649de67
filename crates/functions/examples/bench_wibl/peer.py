"""A logger's file to GeoJSON as the Python of cloud functions does it: a packet becomes an object, a list of all of them is gone
through again and again, sentences are read by pynmea2, times and positions come from numpy.interp. Prints seconds (imports not
counted), MB at the peak, and soundings."""
import datetime
import json
import resource
import struct
import sys
import time

import numpy
import pynmea2

LAYOUTS = {
    1: ("SystemTime", "<HdIB", "date timestamp elapsed source"),
    2: ("Attitude", "<HdIddd", "date timestamp elapsed yaw pitch roll"),
    3: ("Depth", "<HdIddd", "date timestamp elapsed depth offset range"),
    4: ("COG", "<HdIdd", "date timestamp elapsed cog sog"),
    5: ("GNSS", "<HdIHddddBBBdddBBHd", "date timestamp elapsed msg_date msg_time latitude longitude altitude rx_type rx_method "
        "satellites hdop pdop separation references ref_type ref_id age"),
    6: ("Environment", "<HdIBdBdd", "date timestamp elapsed temp_source temperature humid_source humidity pressure"),
    7: ("Temperature", "<HdIBd", "date timestamp elapsed source temperature"),
    8: ("Humidity", "<HdIBd", "date timestamp elapsed source humidity"),
    9: ("Pressure", "<HdIBd", "date timestamp elapsed source pressure"),
    11: ("Motion", "<Ifffffff", "elapsed ax ay az gx gy gz temperature"),
}


class Packet:
    def __init__(self, name, values):
        self.name, self.elapsed = name, 0
        self.__dict__.update(values)


def packets(path):
    with open(path, "rb") as file:
        while len(head := file.read(8)) == 8:
            kind, length = struct.unpack("<II", head)
            payload = file.read(length)
            if kind in LAYOUTS:
                name, layout, fields = LAYOUTS[kind]
                yield Packet(name, zip(fields.split(), struct.unpack(layout, payload)))
            elif kind == 10:
                yield Packet("SerialString", {"elapsed": struct.unpack("<I", payload[:4])[0], "sentence": payload[4:]})
            elif kind == 12:
                length = struct.unpack("<I", payload[:4])[0]
                yield Packet("Metadata", {"logger": payload[4:4 + length].decode()})
            else:
                yield Packet("other", {})


def tables(every):
    times, positions, depths = [], [], []
    for packet in every:
        x = packet.elapsed
        if packet.name == "SystemTime":
            times.append((x, packet.date * 86400.0 + packet.timestamp))
        elif packet.name == "GNSS":
            positions.append((x, packet.latitude, packet.longitude))
        elif packet.name == "Depth":
            depths.append((x, packet.depth))
        elif packet.name == "SerialString":
            try:
                said = pynmea2.parse(packet.sentence.decode())
            except (pynmea2.ParseError, UnicodeDecodeError):
                continue
            if said.sentence_type in ("GGA", "GLL"):
                positions.append((x, said.latitude, said.longitude))
            elif said.sentence_type == "DBT":
                depths.append((x, float(said.depth_meters)))
            elif said.sentence_type == "DPT":
                depths.append((x, float(said.depth)))
    return numpy.array(times), numpy.array(positions), numpy.array(depths)


def convert(path, output):
    every = list(packets(path))
    logger = next(packet.logger for packet in every if packet.name == "Metadata")
    times, positions, depths = tables(every)
    t = numpy.interp(depths[:, 0], times[:, 0], times[:, 1])
    latitude = numpy.interp(depths[:, 0], positions[:, 0], positions[:, 1])
    longitude = numpy.interp(depths[:, 0], positions[:, 0], positions[:, 2])
    features = []
    for at in range(len(depths)):
        moment = datetime.datetime.fromtimestamp(t[at], datetime.timezone.utc)
        features.append({
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [longitude[at], latitude[at]]},
            "properties": {"depth": depths[at, 1], "time": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")},
        })
    document = {"type": "FeatureCollection", "properties": {"trustedNode": {"uniqueVesselID": logger}}, "features": features}
    text = json.dumps(document)
    with open(output, "wb") as file:
        file.write(text.encode())
    return len(features)


began = time.perf_counter()
soundings = convert(sys.argv[1], sys.argv[2])
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, soundings)
