//! The codes that people meet, each with its page: what it means, an example, how to mend it.

/// Embeds the pages of these codes from `docs/errors`.
macro_rules! pages {
    ($($code:literal)*) => {
        &[$(($code, include_str!(concat!("../../../docs/errors/", $code, ".md")))),*]
    };
}

/// Every code with its page, sorted. `P` pipeline file, `C` connection, `R` run, `D` deploy, `S` server.
pub static PAGES: &[(&str, &str)] = pages![
    "C0101" "C0102" "C0103" "C0104" "C0105" "C0106" "C0107"
    "C0201" "C0202" "C0203" "C0204" "C0205"
    "D0101" "D0102" "D0103" "D0104" "D0105" "D0106" "D0107"
    "D0201" "D0202" "D0203" "D0204" "D0205" "D0206" "D0207" "D0208" "D0209" "D0210"
    "P0100" "P0101" "P0102" "P0103" "P0104" "P0105" "P0106" "P0107" "P0108" "P0109" "P0110" "P0111"
    "P0201" "P0202" "P0203" "P0204" "P0205" "P0206" "P0207" "P0208" "P0209" "P0210" "P0211" "P0212"
    "P0213"
    "P0301" "P0302" "P0303" "P0304" "P0305"
    "P0401" "P0402" "P0403" "P0404" "P0405" "P0406" "P0407" "P0408" "P0409"
    "R0001" "R0002" "R0003" "R0004" "R0005" "R0006" "R0007" "R0008" "R0009" "R0010" "R0011" "R0012"
    "R0013" "R0014" "R0015"
    "R0101" "R0102" "R0103" "R0104" "R0105" "R0106" "R0107" "R0108" "R0109" "R0110" "R0111" "R0112"
    "R0113" "R0114" "R0115" "R0116" "R0117"
    "R0201" "R0202" "R0203"
    "R0301" "R0302" "R0303" "R0304" "R0305" "R0306" "R0307" "R0308" "R0309" "R0310" "R0311" "R0312"
    "R0313" "R0314" "R0315" "R0316" "R0317" "R0318" "R0319" "R0320" "R0321" "R0322" "R0323" "R0324"
    "R0325" "R0331" "R0332" "R0333" "R0334" "R0335" "R0336" "R0341" "R0342"
    "R0501" "R0502" "R0503" "R0504" "R0505" "R0506" "R0507" "R0508" "R0509" "R0510" "R0511" "R0512"
    "R0513" "R0520" "R0521" "R0522" "R0523" "R0524" "R0525" "R0526" "R0527" "R0541" "R0542" "R0543"
    "R0544" "R0545" "R0546" "R0551" "R0552"
    "R0601" "R0602" "R0603" "R0604" "R0605" "R0606" "R0607" "R0608"
    "R0701" "R0702"
    "R0801" "R0802" "R0803" "R0804" "R0805" "R0806" "R0807"
    "R0901" "R0902" "R0903" "R0904" "R0905" "R0906"
    "R1001" "R1002" "R1003" "R1004" "R1005" "R1006" "R1010" "R1011" "R1012" "R1013" "R1015" "R1017"
    "R1020" "R1021" "R1022"
    "R1101" "R1102" "R1103" "R1104" "R1105" "R1106" "R1107" "R1108" "R1109"
    "R1201" "R1202"
    "S0101" "S0102" "S0103" "S0104" "S0105"
];

/// The page of a code, in Markdown; upper and lower case are alike. `None` if there is no such code.
///
/// ```
/// assert!(tidegate_model::explain("p0104").is_some_and(|page| page.starts_with("# P0104")));
/// ```
pub fn explain(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, page)| *page)
}

/// Every code, sorted.
pub fn codes() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(code, _)| *code)
}
