//! A small builder of ONNX graphs in double precision.

use crate::proto::{
    AttributeProto, GraphProto, NodeProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, attribute_proto, tensor_proto, tensor_shape_proto, type_proto,
};

/// A value in the graph: an input, a constant or what a node gives.
#[derive(Debug, Clone)]
pub(crate) struct Value(String);

/// Element type of an input or output.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Element {
    Double,
    Integer,
}

impl Element {
    fn code(self) -> i32 {
        match self {
            Self::Double => tensor_proto::DataType::Double as i32,
            Self::Integer => tensor_proto::DataType::Int64 as i32,
        }
    }
}

/// What an operator is told beside its inputs.
#[derive(Debug)]
pub(crate) enum Attribute {
    Integer(i64),
    Integers(Vec<i64>),
    /// A tensor of small unsigned integers.
    Bytes(Vec<u8>),
    /// A tensor of doubles.
    Doubles(Vec<f64>),
}

impl Attribute {
    fn named(self, name: &str) -> AttributeProto {
        use attribute_proto::AttributeType;
        let named = |kind: AttributeType| AttributeProto {
            name: Some(name.to_owned()),
            r#type: Some(kind as i32),
            ..AttributeProto::default()
        };
        match self {
            Self::Integer(value) => AttributeProto {
                i: Some(value),
                ..named(AttributeType::Int)
            },
            Self::Integers(ints) => AttributeProto {
                ints,
                ..named(AttributeType::Ints)
            },
            Self::Bytes(values) => AttributeProto {
                t: Some(tensor(values.len(), tensor_proto::DataType::Uint8, values)),
                ..named(AttributeType::Tensor)
            },
            Self::Doubles(values) => {
                let bytes = values.iter().flat_map(|value| value.to_le_bytes());
                let kind = tensor_proto::DataType::Double;
                AttributeProto {
                    t: Some(tensor(values.len(), kind, bytes.collect())),
                    ..named(AttributeType::Tensor)
                }
            }
        }
    }
}

/// A list as a tensor without a name.
fn tensor(length: usize, kind: tensor_proto::DataType, bytes: Vec<u8>) -> TensorProto {
    TensorProto {
        dims: vec![length as i64],
        data_type: Some(kind as i32),
        raw_data: Some(bytes),
        ..TensorProto::default()
    }
}

/// A graph under construction. Nodes are named by number and operator.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    graph: GraphProto,
}

impl Graph {
    /// An input of one row dimension and the `further` ones.
    pub(crate) fn input(&mut self, name: &str, element: Element, further: &[usize]) -> Value {
        self.graph.input.push(value_info(name, element, further));
        Value(name.to_owned())
    }

    /// Declares what a value is called outside.
    pub(crate) fn output(&mut self, value: &Value, name: &str, width: usize) {
        self.graph
            .output
            .push(value_info(name, Element::Double, &[width]));
        self.graph.node.push(NodeProto {
            op_type: Some("Identity".to_owned()),
            name: Some(format!("output_{name}")),
            input: vec![value.0.clone()],
            output: vec![name.to_owned()],
            ..NodeProto::default()
        });
    }

    /// A constant tensor of doubles.
    pub(crate) fn table(&mut self, name: &str, dims: &[usize], values: &[f64]) -> Value {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.constant(name, dims, Element::Double, bytes)
    }

    /// A constant tensor of integers.
    pub(crate) fn integers(&mut self, name: &str, dims: &[usize], values: &[i64]) -> Value {
        let bytes = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.constant(name, dims, Element::Integer, bytes)
    }

    /// A constant number.
    pub(crate) fn number(&mut self, value: f64) -> Value {
        let name = format!("number_{value}");
        if self
            .graph
            .initializer
            .iter()
            .any(|known| known.name() == name)
        {
            return Value(name);
        }
        self.table(&name, &[], &[value])
    }

    /// A constant integer.
    pub(crate) fn integer(&mut self, value: i64) -> Value {
        let name = format!("integer_{value}");
        if self
            .graph
            .initializer
            .iter()
            .any(|known| known.name() == name)
        {
            return Value(name);
        }
        self.integers(&name, &[], &[value])
    }

    fn constant(&mut self, name: &str, dims: &[usize], element: Element, bytes: Vec<u8>) -> Value {
        self.graph.initializer.push(TensorProto {
            name: Some(name.to_owned()),
            dims: dims.iter().map(|&size| size as i64).collect(),
            data_type: Some(element.code()),
            raw_data: Some(bytes),
            ..TensorProto::default()
        });
        Value(name.to_owned())
    }

    /// Applies an operator that has no attributes.
    pub(crate) fn apply(&mut self, operator: &str, inputs: &[&Value]) -> Value {
        self.apply_with(operator, inputs, &[])
    }

    /// Applies an operator with integer attributes.
    pub(crate) fn apply_with(
        &mut self,
        operator: &str,
        inputs: &[&Value],
        attributes: &[(&'static str, i64)],
    ) -> Value {
        let attributes = attributes
            .iter()
            .map(|&(name, value)| (name, Attribute::Integer(value)))
            .collect();
        self.apply_of("", operator, inputs, attributes)
    }

    /// Applies an operator of a domain; the empty one is that of plain ONNX.
    pub(crate) fn apply_of(
        &mut self,
        domain: &str,
        operator: &str,
        inputs: &[&Value],
        attributes: Vec<(&'static str, Attribute)>,
    ) -> Value {
        let name = format!("{}_{operator}", self.graph.node.len());
        self.graph.node.push(NodeProto {
            op_type: Some(operator.to_owned()),
            domain: (!domain.is_empty()).then(|| domain.to_owned()),
            name: Some(name.clone()),
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            output: vec![name.clone()],
            attribute: attributes
                .into_iter()
                .map(|(name, value)| value.named(name))
                .collect(),
            ..NodeProto::default()
        });
        Value(name)
    }

    pub(crate) fn add(&mut self, a: &Value, b: &Value) -> Value {
        self.apply("Add", &[a, b])
    }

    pub(crate) fn sub(&mut self, a: &Value, b: &Value) -> Value {
        self.apply("Sub", &[a, b])
    }

    pub(crate) fn mul(&mut self, a: &Value, b: &Value) -> Value {
        self.apply("Mul", &[a, b])
    }

    pub(crate) fn div(&mut self, a: &Value, b: &Value) -> Value {
        self.apply("Div", &[a, b])
    }

    pub(crate) fn max(&mut self, a: &Value, b: &Value) -> Value {
        self.apply("Max", &[a, b])
    }

    pub(crate) fn min(&mut self, a: &Value, b: &Value) -> Value {
        self.apply("Min", &[a, b])
    }

    pub(crate) fn clamp(&mut self, value: &Value, low: f64, high: f64) -> Value {
        let (low, high) = (self.number(low), self.number(high));
        let raised = self.max(value, &low);
        self.min(&raised, &high)
    }

    pub(crate) fn sum(&mut self, values: &[&Value]) -> Value {
        let (first, rest) = values.split_first().expect("a sum has parts");
        rest.iter()
            .fold((*first).clone(), |sum, value| self.add(&sum, value))
    }

    /// Takes entries of a table along an axis.
    pub(crate) fn gather(&mut self, table: &Value, indices: &Value, axis: i64) -> Value {
        self.apply_with("Gather", &[table, indices], &[("axis", axis)])
    }

    /// Puts vectors of rows side by side as columns: `[N, vectors]`.
    pub(crate) fn columns(&mut self, vectors: &[Value]) -> Value {
        self.joined(vectors, "column_axis", 1)
    }

    /// Puts vectors of rows above each other: `[vectors, N]`.
    pub(crate) fn stacked(&mut self, vectors: &[Value]) -> Value {
        self.joined(vectors, "row_axis", 0)
    }

    fn joined(&mut self, vectors: &[Value], axis_name: &str, axis: i64) -> Value {
        let new_axis = self.integers_once(axis_name, &[axis]);
        let parts: Vec<_> = vectors
            .iter()
            .map(|vector| self.apply("Unsqueeze", &[vector, &new_axis]))
            .collect();
        let parts: Vec<_> = parts.iter().collect();
        self.apply_with("Concat", &parts, &[("axis", axis)])
    }

    /// A named constant list that is made at most once.
    pub(crate) fn integers_once(&mut self, name: &str, values: &[i64]) -> Value {
        if self
            .graph
            .initializer
            .iter()
            .any(|known| known.name() == name)
        {
            return Value(name.to_owned());
        }
        self.integers(name, &[values.len()], values)
    }

    /// The finished graph.
    pub(crate) fn finish(mut self, name: &str) -> GraphProto {
        self.graph.name = Some(name.to_owned());
        self.graph
    }
}

fn value_info(name: &str, element: Element, further: &[usize]) -> ValueInfoProto {
    use tensor_shape_proto::{Dimension, dimension};
    let dimension = |value| Dimension {
        value: Some(value),
        ..Dimension::default()
    };
    let rows = dimension(dimension::Value::DimParam("N".to_owned()));
    let further = further
        .iter()
        .map(|&size| dimension(dimension::Value::DimValue(size as i64)));
    let shape = TensorShapeProto {
        dim: std::iter::once(rows).chain(further).collect(),
    };
    let tensor = type_proto::Tensor {
        elem_type: Some(element.code()),
        shape: Some(shape),
    };
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}
