//! Generated input for `tidegate demo`: one file a pipeline. The same every time, so that what it shows can be tested.
