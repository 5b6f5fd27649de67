//! Every test that a rule set can name.

use serde::{Deserialize, Serialize};

use super::qartod_tests as qartod;
use super::{Report, Subject, argo, drift, flat, ops_qc, place, range, sensor, spike, time};
use crate::deployment::Variable;

macro_rules! tests {
    ($($(#[$doc:meta])* $variant:ident($type:ty) = $name:literal, $about:ident;)*) => {
        /// A test and its thresholds. In a rule set it is written `{ spike = { variable = "temperature", … } }`.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub enum Test {
            $($(#[$doc])* #[serde(rename = $name)] $variant($type),)*
        }

        impl Test {
            /// All kinds.
            pub const KINDS: &[&str] = &[$($name,)*];

            /// What kind of test it is.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            /// What its flags are about; `None` for the tests of ops_qc that have several columns.
            pub fn variable(&self) -> Option<Variable> {
                match self { $(Self::$variant(_test) => about!(_test, $about),)* }
            }

            pub(crate) fn run(&self, subject: &Subject) -> Report {
                match self { $(Self::$variant(test) => test.run(subject),)* }
            }
        }
    };
}

macro_rules! about {
    ($test:ident, Measured) => {
        Some($test.variable.into())
    };
    ($test:ident, Several) => {
        None
    };
    ($test:ident, $variable:ident) => {
        Some(Variable::$variable)
    };
}

tests! {
    /// Before the programme began or after now.
    ImpossibleDate(time::ImpossibleDate) = "impossible_date", Time;
    /// After the download.
    AfterDownload(time::AfterDownload) = "after_download", Time;
    /// Older than an earlier row.
    TimeIncreasing(time::TimeIncreasing) = "time_increasing", Time;
    /// Few rows between gaps.
    TimingGap(time::TimingGap) = "timing_gap", Time;
    /// Off the globe.
    ImpossibleLocation(place::ImpossibleLocation) = "impossible_location", Position;
    /// Too fast.
    ImpossibleSpeed(place::ImpossibleSpeed) = "impossible_speed", Position;
    /// At the maker's workshop.
    ReferenceLocation(place::ReferenceLocation) = "reference_location", Position;
    /// Begins or ends under water.
    SurfacePosition(place::SurfacePosition) = "surface_position", Position;
    /// Stationary gear that moved.
    StartEndDistance(place::StartEndDistance) = "start_end_distance", Position;
    /// Gear that moved, or did not.
    GearDistance(place::GearDistance) = "gear_distance", Position;
    /// Values that cannot be.
    GlobalRange(range::GlobalRange) = "global_range", Measured;
    /// Deeper than the sensor is built for.
    BeyondRating(range::BeyondRating) = "beyond_rating", Pressure;
    /// Single values that stand out.
    Spike(spike::Spike) = "spike", Measured;
    /// Changes of temperature with depth.
    RateOfChange(spike::RateOfChange) = "rate_of_change", Temperature;
    /// Values that do not change.
    FlatLine(flat::FlatLine) = "flat_line", Measured;
    /// Hauls that differ from the others.
    TemperatureDrift(drift::TemperatureDrift) = "temperature_drift", Temperature;
    /// Rows that a starting sensor writes.
    ResetRow(sensor::ResetRow) = "reset_row", Measured;
    /// Times after a reset.
    TimeAfterReset(sensor::TimeAfterReset) = "time_after_reset", Time;
    /// Times that do not fit the sensor's counter.
    TimestampOverflow(sensor::TimestampOverflow) = "timestamp_overflow", Time;
    /// Wrong first time of some firmware.
    FirstTimeOffset(sensor::FirstTimeOffset) = "first_time_offset", Time;

    /// QARTOD gross range.
    QartodGrossRange(qartod::GrossRange) = "qartod.gross_range", Measured;
    /// QARTOD spike.
    QartodSpike(qartod::Spike) = "qartod.spike", Measured;
    /// QARTOD rate of change.
    QartodRateOfChange(qartod::RateOfChange) = "qartod.rate_of_change", Measured;
    /// QARTOD flat line.
    QartodFlatLine(qartod::FlatLine) = "qartod.flat_line", Measured;
    /// QARTOD attenuated signal.
    QartodAttenuatedSignal(qartod::AttenuatedSignal) = "qartod.attenuated_signal", Measured;
    /// Percentile range of ioos_qc.
    QartodPercentileRange(qartod::PercentileRange) = "qartod.percentile_range", Measured;
    /// QARTOD climatology.
    QartodClimatology(qartod::Climatology) = "qartod.climatology", Measured;
    /// QARTOD location.
    QartodLocation(qartod::Location) = "qartod.location", Position;
    /// Location bounds of ioos_qc.
    QartodLocationBounds(qartod::LocationBounds) = "qartod.location_bounds", Position;
    /// Speed of ioos_qc.
    QartodSpeed(qartod::Speed) = "qartod.speed", Position;
    /// QARTOD time gap.
    QartodTimeGap(qartod::TimeGap) = "qartod.time_gap", Time;
    /// Impossible date of ioos_qc.
    QartodImpossibleDate(qartod::ImpossibleDate) = "qartod.impossible_date", Time;
    /// Data reception of ioos_qc.
    QartodDataReception(qartod::DataReception) = "qartod.data_reception", Time;

    /// Argo test 6.
    ArgoGlobalRange(argo::GlobalRange) = "argo.global_range", Measured;
    /// Argo test 8.
    ArgoPressureIncreasing(argo::PressureIncreasing) = "argo.pressure_increasing", Pressure;
    /// Argo test 11.
    ArgoGradient(argo::Gradient) = "argo.gradient", Temperature;
    /// Argo test 12.
    ArgoDigitRollover(argo::DigitRollover) = "argo.digit_rollover", Temperature;
    /// Argo test 13.
    ArgoStuckValue(argo::StuckValue) = "argo.stuck_value", Temperature;
    /// GTSPP envelope.
    GtsppEnvelope(argo::GtsppEnvelope) = "gtspp.envelope", Temperature;

    /// ops_qc 0.6.0.
    OpsQcImpossibleDate(ops_qc::ImpossibleDate) = "ops_qc.impossible_date", Several;
    /// ops_qc 0.6.0.
    OpsQcDatetimeIncreasing(ops_qc::DatetimeIncreasing) = "ops_qc.datetime_increasing", Several;
    /// ops_qc 0.6.0.
    OpsQcImpossibleLocation(ops_qc::ImpossibleLocation) = "ops_qc.impossible_location", Several;
    /// ops_qc 0.6.0.
    OpsQcImpossibleSpeed(ops_qc::ImpossibleSpeed) = "ops_qc.impossible_speed", Several;
    /// ops_qc 0.6.0.
    OpsQcTimingGap(ops_qc::TimingGap) = "ops_qc.timing_gap", Several;
    /// ops_qc 0.6.0.
    OpsQcGlobalRange(ops_qc::GlobalRange) = "ops_qc.global_range", Several;
    /// ops_qc 0.6.0.
    OpsQcRemoveRefLocation(ops_qc::RemoveRefLocation) = "ops_qc.remove_ref_location", Several;
    /// ops_qc 0.6.0.
    OpsQcSpike(ops_qc::Spike) = "ops_qc.spike", Several;
    /// ops_qc 0.6.0.
    OpsQcStuckValue(ops_qc::StuckValue) = "ops_qc.stuck_value", Several;
    /// ops_qc 0.6.0.
    OpsQcRateOfChangeTest(ops_qc::RateOfChangeTest) = "ops_qc.rate_of_change_test", Several;
    /// ops_qc 0.6.0.
    OpsQcTempDrift(ops_qc::TempDrift) = "ops_qc.temp_drift", Several;
    /// ops_qc 0.6.0.
    OpsQcGearType(ops_qc::GearType) = "ops_qc.gear_type", Several;
    /// ops_qc 0.6.0.
    OpsQcStationaryPositionCheck(ops_qc::StationaryPositionCheck) = "ops_qc.stationary_position_check", Several;
    /// ops_qc 0.6.0.
    OpsQcResetCodeCheck(ops_qc::ResetCodeCheck) = "ops_qc.reset_code_check", Several;
    /// ops_qc 0.6.0.
    OpsQcCheckTimestampOverflow(ops_qc::CheckTimestampOverflow) = "ops_qc.check_timestamp_overflow", Several;
    /// ops_qc 0.6.0; runs once the position of stationary gear is known.
    OpsQcStartEndDistCheck(ops_qc::StartEndDistCheck) = "ops_qc.start_end_dist_check", Several;
}

impl Test {
    /// Name in a rule set and of its flags: its kind, and its variable if it was given one.
    pub fn name(&self) -> String {
        let kind = self.kind().replace('.', "_");
        match self.variable() {
            Some(variable) if self.is_for_any_variable() => format!("{kind}_{}", variable.name()),
            _ => kind,
        }
    }

    fn is_for_any_variable(&self) -> bool {
        matches!(
            self,
            Self::GlobalRange(_)
                | Self::Spike(_)
                | Self::FlatLine(_)
                | Self::ResetRow(_)
                | Self::QartodGrossRange(_)
                | Self::QartodSpike(_)
                | Self::QartodRateOfChange(_)
                | Self::QartodFlatLine(_)
                | Self::QartodAttenuatedSignal(_)
                | Self::QartodPercentileRange(_)
                | Self::QartodClimatology(_)
                | Self::ArgoGlobalRange(_)
        )
    }

    /// It asks for the distance from the first to the last good position, which other tests decide.
    pub(crate) fn needs_positions(&self) -> bool {
        matches!(self, Self::StartEndDistance(_) | Self::OpsQcStartEndDistCheck(_))
    }
}
