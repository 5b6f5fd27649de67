//! Well-known parameters of WHP-Exchange files: their units, and their CF names.
//!
//! Names and units: WOCE Hydrographic Programme Office, exchange format description and its table of parameters; standard
//! names: CF Standard Name Table.

/// A parameter that many files have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its name in files.
    pub name: &'static str,
    /// Units it stands with; empty: it has none. The first is the usual one.
    pub units: &'static [&'static str],
    /// CF standard name; empty if there is none.
    pub standard_name: &'static str,
    /// The usual unit, as CF writes it; empty: it has none.
    pub cf_units: &'static str,
}

const fn known(
    name: &'static str,
    units: &'static [&'static str],
    standard_name: &'static str,
    cf_units: &'static str,
) -> Known {
    Known { name, units, standard_name, cf_units }
}

const PER_KILOGRAM: &[&str] = &["UMOL/KG", "UMOL/L", "ML/L"];
const PICOMOLAR: &[&str] = &["PMOL/KG", "PMOL/L"];
const ITS_90: &[&str] = &["ITS-90", "IPTS-68", "DEG C", "DEG_C"];
const PSS_78: &[&str] = &["PSS-78", "PSU"];
const METERS: &[&str] = &["METERS", "M", "METER"];
const VOLTS: &[&str] = &["0-5VDC", "VOLTS", "VOLT"];
const PER_MILLE: &[&str] = &["/MILLE", "0/00", "PER MIL"];
const NONE: &[&str] = &[];
const LIGHT: &[&str] = &["UE/SQM/S", "UE/M^2/S", "UMOL/M^2/S", "VOLTS", "0-5VDC"];

const MOLES: &str = "umol kg-1";
const PHOTONS: &str = "downwelling_photosynthetic_photon_flux_in_sea_water";

/// Identity, place and time: whatever a file is, these are no measurements.
const IDENTITY: &[Known] = &[
    known("EXPOCODE", NONE, "", ""),
    known("SECT_ID", NONE, "", ""),
    known("SECT", NONE, "", ""),
    known("STNNBR", NONE, "", ""),
    known("CASTNO", NONE, "", ""),
    known("SAMPNO", NONE, "", ""),
    known("BTLNBR", NONE, "", ""),
    known("DATE", NONE, "", ""),
    known("TIME", NONE, "", ""),
    known("LATITUDE", NONE, "latitude", "degrees_north"),
    known("LONGITUDE", NONE, "longitude", "degrees_east"),
    known("DEPTH", METERS, "sea_floor_depth_below_sea_surface", "m"),
    known("BTL_DATE", NONE, "", ""),
    known("BTL_TIME", NONE, "", ""),
    known("BTL_LAT", NONE, "", "degrees_north"),
    known("BTL_LON", NONE, "", "degrees_east"),
    known("GEOTR_EVENT", NONE, "", ""),
    known("GEOTR_SAMPNO", NONE, "", ""),
    known("EVENT", NONE, "", ""),
];

/// What is measured.
const MEASURED: &[Known] = &[
    known("CTDPRS", &["DBAR", "DB", "DECIBAR"], "sea_water_pressure_due_to_sea_water", "dbar"),
    known("REVPRS", &["DBAR"], "sea_water_pressure_due_to_sea_water", "dbar"),
    // No `depth`: the vertical coordinate of profiles is pressure, and readers would take this for a second one.
    known("CTDDEPTH", METERS, "", "m"),
    known("CTDTMP", ITS_90, "sea_water_temperature", "degree_Celsius"),
    known("REFTMP", ITS_90, "sea_water_temperature", "degree_Celsius"),
    known("REVTMP", ITS_90, "sea_water_temperature", "degree_Celsius"),
    known("SBE35", ITS_90, "sea_water_temperature", "degree_Celsius"),
    known("THETA", ITS_90, "sea_water_potential_temperature", "degree_Celsius"),
    known("CTDSAL", PSS_78, "sea_water_practical_salinity", "1"),
    known("SALNTY", PSS_78, "sea_water_practical_salinity", "1"),
    known("SALTREF", &["G/KG"], "sea_water_reference_salinity", "g kg-1"),
    known("CTDOXY", PER_KILOGRAM, "moles_of_oxygen_per_unit_mass_in_sea_water", MOLES),
    known("OXYGEN", PER_KILOGRAM, "moles_of_oxygen_per_unit_mass_in_sea_water", MOLES),
    known("CTDFLUOR", &["0-5VDC", "VOLTS", "MG/M^3", "UG/L", "RFU"], "", ""),
    known("CTDXMISS", &["0-5VDC", "VOLTS", "%TRANS"], "", ""),
    known("CTDBEAMCP", &["/METER", "1/M"], "volume_beam_attenuation_coefficient_of_radiative_flux_in_sea_water", "m-1"),
    known("CTDTURB", &["NTU", "FTU", "VOLTS", "0-5VDC"], "", ""),
    known("CTDCDOM", VOLTS, "", ""),
    known("CTDPAR", LIGHT, PHOTONS, "umol m-2 s-1"),
    known("PAR", LIGHT, PHOTONS, "umol m-2 s-1"),
    known("CTDNOBS", NONE, "number_of_observations", "1"),
    known("CTDETIME", &["SECONDS", "SEC", "S"], "", "s"),
    known("SILCAT", PER_KILOGRAM, "moles_of_silicate_per_unit_mass_in_sea_water", MOLES),
    known("NITRAT", PER_KILOGRAM, "moles_of_nitrate_per_unit_mass_in_sea_water", MOLES),
    known("NITRIT", PER_KILOGRAM, "moles_of_nitrite_per_unit_mass_in_sea_water", MOLES),
    known("NO2+NO3", PER_KILOGRAM, "moles_of_nitrate_and_nitrite_per_unit_mass_in_sea_water", MOLES),
    known("NH4", PER_KILOGRAM, "moles_of_ammonium_per_unit_mass_in_sea_water", MOLES),
    known("PHSPHT", PER_KILOGRAM, "moles_of_phosphate_per_unit_mass_in_sea_water", MOLES),
    known("CFC-11", PICOMOLAR, "moles_of_cfc11_per_unit_mass_in_sea_water", "pmol kg-1"),
    known("CFC-12", PICOMOLAR, "", "pmol kg-1"),
    known("CFC113", PICOMOLAR, "", "pmol kg-1"),
    known("CCL4", PICOMOLAR, "", "pmol kg-1"),
    known("SF6", &["FMOL/KG", "FMOL/L"], "moles_of_sulfur_hexafluoride_per_unit_mass_in_sea_water", "fmol kg-1"),
    known("N2O", &["NMOL/KG"], "moles_of_nitrous_oxide_per_unit_mass_in_sea_water", "nmol kg-1"),
    known("CH4", &["NMOL/KG", "NMOL/L"], "", "nmol kg-1"),
    known("METHANE", &["NMOL/KG", "NMOL/L"], "", "nmol kg-1"),
    known("TCARBN", &["UMOL/KG"], "moles_of_dissolved_inorganic_carbon_per_unit_mass_in_sea_water", MOLES),
    known("ALKALI", &["UMOL/KG"], "sea_water_alkalinity_per_unit_mass_expressed_as_mole_equivalent", MOLES),
    known("FCO2", &["UATM"], "fugacity_of_carbon_dioxide_in_sea_water", "uatm"),
    known("PCO2", &["UATM"], "partial_pressure_of_carbon_dioxide_in_sea_water", "uatm"),
    known("PH_SWS", NONE, "", "1"),
    known("PH_TOT", NONE, "sea_water_ph_reported_on_total_scale", "1"),
    known("PH_TMP", &["DEG C", "DEG_C"], "", "degree_Celsius"),
    known("TRITUM", &["TU"], "", ""),
    known("HELIUM", &["NMOL/KG"], "", "nmol kg-1"),
    known("DELHE3", &["PERCNT", "%"], "", "percent"),
    known("DELC13", PER_MILLE, "", "1e-3"),
    known("DELC14", PER_MILLE, "", "1e-3"),
    known("C14ERR", PER_MILLE, "", "1e-3"),
    known("C13ERR", PER_MILLE, "", "1e-3"),
    known("DELO17", PER_MILLE, "", "1e-3"),
    known("DELO18", PER_MILLE, "", "1e-3"),
    known("DOC", &["UMOL/KG", "UMOL/L"], "moles_of_dissolved_organic_carbon_per_unit_mass_in_sea_water", MOLES),
    known("TDN", &["UMOL/KG", "UMOL/L"], "", MOLES),
    known("DON", &["UMOL/KG", "UMOL/L"], "moles_of_dissolved_organic_nitrogen_per_unit_mass_in_sea_water", MOLES),
    known("TOC", &["UMOL/KG", "UMOL/L"], "", MOLES),
    known("POC", &["UG/KG", "UG/L", "UMOL/KG"], "", ""),
    known("PON", &["UG/KG", "UG/L", "UMOL/KG"], "", ""),
    known("CHLORA", &["UG/KG", "UG/L", "MG/M^3"], "", ""),
    known("PHAEO", &["UG/KG", "UG/L", "MG/M^3"], "", ""),
    known("BARIUM", &["NMOL/KG"], "", "nmol kg-1"),
    known("LAB_DEN", &["KG/M^3"], "sea_water_density", "kg m-3"),
];

/// The well-known parameter of this name, in whatever letters.
pub fn known_parameter(name: &str) -> Option<&'static Known> {
    IDENTITY.iter().chain(MEASURED).find(|known| known.name.eq_ignore_ascii_case(name))
}

/// Whether the name is one of identity, place or time.
pub(crate) fn is_identity(name: &str) -> bool {
    IDENTITY.iter().any(|known| known.name.eq_ignore_ascii_case(name))
}

/// Identity and positions may hold text, or numbers without a unit.
pub(crate) fn may_be_text(name: &str) -> bool {
    const TEXT: [&str; 9] =
        ["EXPOCODE", "SECT_ID", "SECT", "STNNBR", "SAMPNO", "BTLNBR", "GEOTR_EVENT", "GEOTR_SAMPNO", "EVENT"];
    TEXT.iter().any(|text| text.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = IDENTITY.iter().chain(MEASURED).map(|known| known.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
