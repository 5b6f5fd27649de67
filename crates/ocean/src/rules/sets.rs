//! The tests of the rule sets that are built in, with their thresholds.

use crate::qc::qartod::SpikeMethod;
use crate::qc::{Measured, Test, argo, flat, ops_qc, qartod_tests as qartod, range, sensor, spike};

/// ops_qc's recommended tests and its faults mended; what each mends stands at the test.
pub(super) fn corrected() -> Vec<Test> {
    let reset = |variable| Test::ResetRow(sensor::ResetRow { variable });
    vec![
        reset(Measured::Pressure),
        reset(Measured::Temperature),
        Test::ImpossibleDate(Default::default()),
        Test::AfterDownload(Default::default()),
        Test::TimeIncreasing(Default::default()),
        Test::TimingGap(Default::default()),
        Test::TimeAfterReset(Default::default()),
        Test::TimestampOverflow(Default::default()),
        Test::FirstTimeOffset(Default::default()),
        Test::ImpossibleLocation(Default::default()),
        Test::ImpossibleSpeed(Default::default()),
        Test::ReferenceLocation(Default::default()),
        Test::SurfacePosition(Default::default()),
        Test::GlobalRange(range::GlobalRange::pressure()),
        Test::GlobalRange(range::GlobalRange::temperature()),
        Test::BeyondRating(Default::default()),
        Test::Spike(spike::Spike::pressure()),
        Test::Spike(spike::Spike::temperature()),
        Test::RateOfChange(Default::default()),
        Test::FlatLine(flat::FlatLine::pressure()),
        Test::FlatLine(flat::FlatLine::temperature()),
        Test::TemperatureDrift(Default::default()),
        Test::StartEndDistance(Default::default()),
    ]
}

/// The recommended lists of ops_qc 0.6.0, both in one: what is for stationary gear only comes last.
pub(super) fn ops_qc() -> Vec<Test> {
    vec![
        Test::OpsQcImpossibleDate(Default::default()),
        Test::OpsQcImpossibleLocation(Default::default()),
        Test::OpsQcImpossibleSpeed(Default::default()),
        Test::OpsQcTimingGap(Default::default()),
        Test::OpsQcGlobalRange(Default::default()),
        Test::OpsQcRemoveRefLocation(Default::default()),
        Test::OpsQcSpike(Default::default()),
        Test::OpsQcTempDrift(Default::default()),
        Test::OpsQcStationaryPositionCheck(Default::default()),
        Test::OpsQcResetCodeCheck(Default::default()),
        Test::OpsQcCheckTimestampOverflow(ops_qc::CheckTimestampOverflow::default()),
        Test::OpsQcStartEndDistCheck(Default::default()),
    ]
}

/// The tests that the QARTOD manual for temperature requires or recommends, as far as no climatology is needed.
pub(super) fn qartod() -> Vec<Test> {
    let range = |variable, fail, suspect| Test::QartodGrossRange(qartod::GrossRange { variable, fail, suspect });
    let temperature = Measured::Temperature;
    vec![
        Test::QartodImpossibleDate(qartod::ImpossibleDate {
            span: Some(["2010-01-01".to_owned(), "2100-01-01".to_owned()]),
        }),
        Test::QartodTimeGap(qartod::TimeGap { hours: 2.0 }),
        Test::QartodLocation(qartod::Location { metres: None, geodesy: Default::default() }),
        // 40 and 80 knots.
        Test::QartodSpeed(qartod::Speed { suspect: 20.6, fail: 41.2 }),
        // What the sensor can write, and what ops_qc expects.
        range(Measured::Pressure, [-5.0, 2000.0], Some([-0.5, 1600.0])),
        range(temperature, [-10.0, 55.5], Some([-2.0, 34.0])),
        Test::QartodSpike(qartod::Spike {
            variable: temperature,
            suspect: Some(2.0),
            fail: Some(6.0),
            method: SpikeMethod::Differential,
        }),
        Test::QartodRateOfChange(qartod::RateOfChange { variable: temperature, suspect: 1.0, fail: Some(2.0) }),
        Test::QartodFlatLine(qartod::FlatLine {
            variable: temperature,
            suspect_seconds: 3600.0,
            fail_seconds: 7200.0,
            tolerance: 0.001,
        }),
    ]
}

/// The tests of the Argo manual that need no salinity, and GTSPP's envelope.
pub(super) fn argo() -> Vec<Test> {
    let range = |variable| Test::ArgoGlobalRange(argo::GlobalRange { variable });
    let argo_spike = spike::Spike { suspect: 6.0, suspect_deep: 2.0, ..spike::Spike::temperature() };
    vec![
        Test::QartodImpossibleDate(qartod::ImpossibleDate {
            span: Some(["1997-01-01".to_owned(), "2100-01-01".to_owned()]),
        }),
        Test::ImpossibleLocation(Default::default()),
        Test::QartodSpeed(qartod::Speed { suspect: 3.0, fail: 3.0 }),
        range(Measured::Pressure),
        range(Measured::Temperature),
        Test::ArgoPressureIncreasing(Default::default()),
        Test::Spike(argo_spike),
        Test::ArgoDigitRollover(Default::default()),
        Test::ArgoStuckValue(Default::default()),
        Test::GtsppEnvelope(Default::default()),
    ]
}

/// GTSPP's real-time tests of a profile of temperature whose thresholds are certain: gradient (10 degrees C), spike (2) and
/// envelope, at any depth. Formulas are those of Argo's tests of that name.
///
/// Source: GTSPP real-time quality control (IOC Manuals and Guides 22), as CoTeDe's rule set `gtspp` has it. Its tests of
/// climatology, land, speed and digit rollover are left out: their data or limits are not at hand.
pub(super) fn gtspp() -> Vec<Test> {
    let spike =
        spike::Spike { suspect: 2.0, fail: 2.0, suspect_deep: 2.0, fail_deep: 2.0, ..spike::Spike::temperature() };
    vec![
        Test::ImpossibleDate(Default::default()),
        Test::ImpossibleLocation(Default::default()),
        Test::ArgoGradient(argo::Gradient { shallow: 10.0, deep: 10.0 }),
        Test::Spike(spike),
        Test::GtsppEnvelope(Default::default()),
    ]
}
