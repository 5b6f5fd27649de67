//! What a file says of itself: dimensions, attributes, variables. Data come apart from it.

use super::values::{Type, Values};

/// The definition of a file, in the order in which the file holds it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Definition {
    /// Dimensions; at most one is unlimited.
    pub dimensions: Vec<Dimension>,
    /// Attributes of the file.
    pub attributes: Vec<Attribute>,
    /// Variables.
    pub variables: Vec<Variable>,
}

/// A dimension of a [`Definition`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DimensionId(pub(super) usize);

/// A variable of a [`Definition`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VariableId(pub(super) usize);

/// A name for a length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimension {
    /// Its name.
    pub name: String,
    /// How many places it has now. Only the unlimited one may have none.
    pub length: u64,
    /// True if the file can grow along it: it is the record dimension.
    pub is_unlimited: bool,
}

/// A fact about a file or a variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// What it says: text, or numbers of one type.
    pub value: Values<'static>,
}

impl Attribute {
    /// An attribute.
    pub fn new(name: impl Into<String>, value: impl Into<Values<'static>>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// A named array.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Type of its values.
    pub kind: Type,
    /// Its dimensions, slowest first; none makes it one value. The unlimited one can only be the first.
    pub dimensions: Vec<DimensionId>,
    /// What is said of it.
    pub attributes: Vec<Attribute>,
}

impl Variable {
    /// A variable without attributes.
    pub fn new(name: impl Into<String>, kind: Type, dimensions: impl Into<Vec<DimensionId>>) -> Self {
        Self { name: name.into(), kind, dimensions: dimensions.into(), attributes: Vec::new() }
    }

    /// The same with one more attribute.
    #[must_use]
    pub fn attribute<'a>(mut self, name: &str, value: impl Into<Values<'a>>) -> Self {
        self.attributes.push(Attribute::new(name, value.into().into_owned()));
        self
    }

    /// What an attribute says.
    pub fn get(&self, name: &str) -> Option<&Values<'static>> {
        find(&self.attributes, name)
    }

    /// Numbers that stand for a missing value: what the variable says, or what netCDF-C fills with where it says nothing.
    pub fn missing(&self) -> Vec<f64> {
        let told = ["_FillValue", "missing_value"].iter().filter_map(|name| self.get(name)?.to_doubles());
        let told: Vec<f64> = told.flatten().collect();
        if !told.is_empty() {
            return told;
        }
        match self.kind {
            Type::Float | Type::Double => vec![FILL, f64::from(FILL as f32)],
            Type::Int => vec![f64::from(i32::MIN + 1)],
            Type::Short => vec![f64::from(i16::MIN + 1)],
            _ => Vec::new(),
        }
    }
}

/// What netCDF-C fills numbers with.
const FILL: f64 = 9.969_209_968_386_869e36;

impl Definition {
    /// Nothing defined.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a dimension of fixed length.
    pub fn dimension(&mut self, name: impl Into<String>, length: u64) -> DimensionId {
        self.add_dimension(Dimension { name: name.into(), length, is_unlimited: false })
    }

    /// Adds the record dimension, of which `length` records will be written.
    pub fn unlimited(&mut self, name: impl Into<String>, length: u64) -> DimensionId {
        self.add_dimension(Dimension { name: name.into(), length, is_unlimited: true })
    }

    fn add_dimension(&mut self, dimension: Dimension) -> DimensionId {
        self.dimensions.push(dimension);
        DimensionId(self.dimensions.len() - 1)
    }

    /// Adds an attribute of the file.
    pub fn attribute<'a>(&mut self, name: impl Into<String>, value: impl Into<Values<'a>>) {
        self.attributes.push(Attribute::new(name, value.into().into_owned()));
    }

    /// Adds a variable.
    pub fn variable(&mut self, variable: Variable) -> VariableId {
        self.variables.push(variable);
        VariableId(self.variables.len() - 1)
    }

    /// The variable of a name.
    pub fn find(&self, name: &str) -> Option<VariableId> {
        self.variables.iter().position(|variable| variable.name == name).map(VariableId)
    }

    /// What an attribute of the file says.
    pub fn get(&self, name: &str) -> Option<&Values<'static>> {
        find(&self.attributes, name)
    }

    /// Lengths of a variable's dimensions.
    ///
    /// # Panics
    /// If the variable, or a dimension of it, belongs to another definition.
    pub fn shape(&self, variable: VariableId) -> Vec<u64> {
        self.variables[variable.0].dimensions.iter().map(|dimension| self.dimensions[dimension.0].length).collect()
    }
}

impl std::ops::Index<VariableId> for Definition {
    type Output = Variable;

    fn index(&self, variable: VariableId) -> &Variable {
        &self.variables[variable.0]
    }
}

impl std::ops::Index<DimensionId> for Definition {
    type Output = Dimension;

    fn index(&self, dimension: DimensionId) -> &Dimension {
        &self.dimensions[dimension.0]
    }
}

fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Values<'static>> {
    attributes.iter().find(|attribute| attribute.name == name).map(|attribute| &attribute.value)
}
