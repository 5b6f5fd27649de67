//! A cruise as large as real ones, with parameters that the WHP knows, so that every reader takes it.

use std::fmt::Write as _;

use tidegate_formats::zip::Writer;

/// Casts of the archive.
const CASTS: u32 = 62;
/// Levels of a cast; with nine parameters and their flags the archive has 21 MB of text.
const LEVELS: u32 = 3_100;
/// Rows of the bottle file.
const BOTTLES: u32 = 3_200;

/// What a CTD measures beside the pressure, with units.
const MEASURED: [(&str, &str); 8] = [
    ("CTDTMP", "ITS-90"),
    ("CTDSAL", "PSS-78"),
    ("CTDOXY", "UMOL/KG"),
    ("CTDFLUOR", "VOLTS"),
    ("CTDXMISS", "VOLTS"),
    ("CTDTURB", "VOLTS"),
    ("CTDCDOM", "VOLTS"),
    ("CTDNITRATE", "UMOL/KG"),
];

/// What is analysed of bottles, in µmol/kg unless it says otherwise.
const ANALYSED: [(&str, &str); 35] = [
    ("CTDTMP", "ITS-90"),
    ("CTDSAL", "PSS-78"),
    ("SALNTY", "PSS-78"),
    ("CTDOXY", "UMOL/KG"),
    ("OXYGEN", "UMOL/KG"),
    ("SILCAT", "UMOL/KG"),
    ("NITRAT", "UMOL/KG"),
    ("NITRIT", "UMOL/KG"),
    ("NH4", "UMOL/KG"),
    ("PHSPHT", "UMOL/KG"),
    ("TCARBN", "UMOL/KG"),
    ("ALKALI", "UMOL/KG"),
    ("DOC", "UMOL/KG"),
    ("TOC", "UMOL/KG"),
    ("DON", "UMOL/KG"),
    ("TDN", "UMOL/KG"),
    ("TON", "UMOL/KG"),
    ("AOU", "UMOL/KG"),
    ("N2", "UMOL/KG"),
    ("ARGON", "UMOL/KG"),
    ("CFC-11", "PMOL/KG"),
    ("CFC-12", "PMOL/KG"),
    ("CFC113", "PMOL/KG"),
    ("CCL4", "PMOL/KG"),
    ("SF6", "FMOL/KG"),
    ("FCO2", "UATM"),
    ("PCO2", "UATM"),
    ("TRITUM", "TU"),
    ("HELIUM", "NMOL/KG"),
    ("NEON", "NMOL/KG"),
    ("N2O", "NMOL/KG"),
    ("CH4", "NMOL/KG"),
    ("BARIUM", "NMOL/KG"),
    ("CHLORA", "UG/KG"),
    ("REFTMP", "ITS-90"),
];

/// A bottle file.
pub(crate) fn bottles() -> String {
    let mut text =
        String::from("BOTTLE,20240101BENCH\nEXPOCODE,STNNBR,CASTNO,SAMPNO,DATE,TIME,LATITUDE,LONGITUDE,CTDPRS");
    ANALYSED.iter().for_each(|(name, _)| write!(text, ",{name},{name}_FLAG_W").expect("memory"));
    text.push_str("\n,,,,,,,,DBAR");
    ANALYSED.iter().for_each(|(_, unit)| write!(text, ",{unit},").expect("memory"));
    for row in 0..BOTTLES {
        let (station, bottle) = (row / 24, row % 24);
        let depth = bottle * 150;
        write!(text, "\n99ZZ20240101,{station:8},  1,{bottle:8},20240101,0930,  -30.5000,  173.7000,{depth:7}.0")
            .expect("memory");
        (0..ANALYSED.len()).for_each(|at| write!(text, ",{:9.4},2", value(row, at)).expect("memory"));
    }
    text + "\nEND_DATA\n"
}

/// An archive of casts.
pub(crate) fn casts() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for number in 1..=CASTS {
        writer.member(&format!("cast_{number:05}_ct1.csv"), cast(number).as_bytes()).expect("memory");
    }
    writer.finish().expect("memory")
}

fn cast(number: u32) -> String {
    let mut text = format!(
        "CTD,20240101BENCH\nNUMBER_HEADERS = 8\nEXPOCODE = 99ZZ20240101\nSTNNBR = {number}\nCASTNO = 1\nDATE = 20240101\n\
         TIME = 0930\nLATITUDE = -30.5\nLONGITUDE = 173.7\nCTDPRS,CTDPRS_FLAG_W"
    );
    MEASURED.iter().for_each(|(name, _)| write!(text, ",{name},{name}_FLAG_W").expect("memory"));
    text.push_str("\nDBAR,");
    MEASURED.iter().for_each(|(_, unit)| write!(text, ",{unit},").expect("memory"));
    for level in 0..LEVELS {
        write!(text, "\n{:8}.0,2", level * 2).expect("memory");
        (0..MEASURED.len()).for_each(|at| write!(text, ",{:10.4},2", value(level + number, at)).expect("memory"));
    }
    text + "\nEND_DATA\n"
}

#[expect(clippy::cast_precision_loss, reason = "a curve needs no more digits")]
fn value(row: u32, column: usize) -> f64 {
    20.0 + (f64::from(row) * 0.37 + column as f64 * 0.37).sin()
}
