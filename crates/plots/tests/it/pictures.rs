//! What pictures are held to.

use std::time::Instant;

use crate::deployments::Columns;

/// `TIDEGATE_PLOTS=DIR` keeps the pictures for people to look at.
fn keep(name: &str, columns: &Columns) {
    let picture = columns.picture();
    if let Some(directory) = std::env::var_os("TIDEGATE_PLOTS").map(std::path::PathBuf::from) {
        std::fs::write(directory.join(name).with_extension("png"), picture.png(1.0)).expect("it can be written");
        std::fs::write(directory.join(name).with_extension("svg"), picture.svg()).expect("it can be written");
    }
}

#[test]
fn look() {
    keep("haul", &Columns::haul(480, [174.9, -36.4], [0.12, 0.16]).with_faults());
    keep("large", &Columns::haul(41_000, [172.9, -40.4], [1.4, 0.7]).with_faults());
    keep("fiji", &Columns::haul(200, [179.7, -16.9], [0.5, 0.4]).with_faults());
    keep("arctic", &Columns::haul(300, [20.0, 84.0], [100.0, 3.0]));
    keep("antarctic", &Columns::haul(300, [170.0, -77.0], [30.0, -1.2]));
    keep("world", &Columns::haul(300, [-60.0, -50.0], [250.0, 110.0]));
    keep("one", &Columns::haul(1, [2.0, 51.0], [0.0, 0.0]));
    keep("none", &Columns::default());
    let began = Instant::now();
    let columns = Columns::haul(41_000, [172.9, -40.4], [1.4, 0.7]).with_faults();
    println!("columns {:?}", began.elapsed());
    let began = Instant::now();
    let picture = columns.picture();
    println!("picture {:?}", began.elapsed());
    let began = Instant::now();
    let svg = picture.svg();
    println!("svg {} {:?}", svg.len(), began.elapsed());
    for scale in [1.0, 1.5, 2.0] {
        let began = Instant::now();
        let png = picture.png(scale);
        println!("png {} {:?}", png.len(), began.elapsed());
    }
}
