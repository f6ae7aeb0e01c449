//! Gradient-boosted trees as one node: `TreeEnsemble` of ai.onnx.ml 5, which compares and adds in
//! doubles (its predecessor `TreeEnsembleRegressor` answers in single precision).

use foretide_forecasting::trees::{Node, ROW_HEAD, Tree, TreesModel};

use super::candidates::{Candidate, Parts};
use super::{Panel, inputs};
use crate::graph::{Attribute, Element, Graph, Value};

/// Domain of the operator set that trees need.
pub(super) const DOMAIN: &str = "ai.onnx.ml";

/// Version of that set.
pub(super) const DOMAIN_VERSION: i64 = 5;

/// Above every feature: where a tree that is one leaf sends all rows left.
const ABOVE_ALL: f64 = f64::MAX;

impl Panel<'_> {
    /// The trees as a candidate, with the parts that [`TreesModel::parts`] names.
    pub(super) fn trees(&mut self, model: &TreesModel) -> Candidate {
        let width = ROW_HEAD + model.linear.weights.len();
        let rows = self
            .graph
            .input(inputs::FEATURES, Element::Double, &[width]);
        let Forecast { anchor, count } = forecast(&mut self.graph, &rows, model);
        let graph = &mut self.graph;
        let zero = graph.number(0.0);
        let mean = graph.max(&count, &zero);
        let level = self.rows.week_level.clone();
        let parts = Parts {
            weekly: Some(graph.sub(&anchor, &level)),
            recent: Some(graph.sub(&count, &anchor)),
            bounds: Some(graph.sub(&mean, &count)),
            level: Some(level),
            ..Parts::default()
        };
        let drivers = self.drivers(parts);
        Candidate { mean, drivers }
    }
}

/// What the trees foresee, not bounded, and the anchor they move it from: vectors `[N]`.
struct Forecast {
    anchor: Value,
    count: Value,
}

/// The formula of [`TreesModel::predict`] for rows of `[N, head + features]`.
fn forecast(graph: &mut Graph, rows: &Value, model: &TreesModel) -> Forecast {
    let (anchor, unit) = (column(graph, rows, 0), column(graph, rows, 1));
    let width = model.linear.weights.len();
    let places: Vec<i64> = (ROW_HEAD..ROW_HEAD + width)
        .map(|place| place as i64)
        .collect();
    let places = graph.integers("trees.features", &[width], &places);
    let features = graph.gather(rows, &places, 1);
    let weights = graph.table("trees.linear", &[width], &model.linear.weights);
    let straight = graph.apply("MatMul", &[&features, &weights]);
    let intercept = graph.number(model.linear.intercept);
    let mut units = graph.add(&straight, &intercept);
    if !model.trees.is_empty() {
        let sum = ensemble(graph, &features, &model.trees);
        let sum = column(graph, &sum, 0);
        units = graph.add(&units, &sum);
    }
    let moved = graph.mul(&unit, &units);
    let count = graph.add(&anchor, &moved);
    Forecast { anchor, count }
}

fn column(graph: &mut Graph, matrix: &Value, index: i64) -> Value {
    let index = graph.integer(index);
    graph.gather(matrix, &index, 1)
}

fn ensemble(graph: &mut Graph, features: &Value, trees: &[Tree]) -> Value {
    let mut tables = NodeTables::default();
    for tree in trees {
        tables.add(tree);
    }
    let leaves = tables.weights.len();
    let attributes = vec![
        ("n_targets", Attribute::Integer(1)),
        // 1: the values of all trees are added.
        ("aggregate_function", Attribute::Integer(1)),
        ("post_transform", Attribute::Integer(0)),
        ("tree_roots", Attribute::Integers(tables.roots)),
        // 0: go the true way when the feature is at most the split.
        (
            "nodes_modes",
            Attribute::Bytes(vec![0; tables.splits.len()]),
        ),
        ("nodes_featureids", Attribute::Integers(tables.features)),
        ("nodes_splits", Attribute::Doubles(tables.splits)),
        ("nodes_truenodeids", Attribute::Integers(tables.left)),
        ("nodes_trueleafs", Attribute::Integers(tables.left_is_leaf)),
        ("nodes_falsenodeids", Attribute::Integers(tables.right)),
        (
            "nodes_falseleafs",
            Attribute::Integers(tables.right_is_leaf),
        ),
        ("leaf_targetids", Attribute::Integers(vec![0; leaves])),
        ("leaf_weights", Attribute::Doubles(tables.weights)),
    ];
    graph.apply_of(DOMAIN, "TreeEnsemble", &[features], attributes)
}

/// Inner nodes and leaves of all trees, numbered apart as the operator wants them.
#[derive(Default)]
struct NodeTables {
    roots: Vec<i64>,
    features: Vec<i64>,
    splits: Vec<f64>,
    left: Vec<i64>,
    left_is_leaf: Vec<i64>,
    right: Vec<i64>,
    right_is_leaf: Vec<i64>,
    weights: Vec<f64>,
}

impl NodeTables {
    fn add(&mut self, tree: &Tree) {
        let (first_split, first_leaf) = (self.splits.len() as i64, self.weights.len() as i64);
        let mut next = [first_split, first_leaf];
        // (number among its kind, whether it is a leaf) of each node of the tree
        let places: Vec<(i64, i64)> = tree
            .nodes
            .iter()
            .map(|node| {
                let is_leaf = usize::from(matches!(node, Node::Leaf(_)));
                let place = next[is_leaf];
                next[is_leaf] += 1;
                (place, is_leaf as i64)
            })
            .collect();
        self.roots.push(first_split);
        for node in &tree.nodes {
            match *node {
                Node::Leaf(value) => self.weights.push(value),
                Node::Split {
                    feature,
                    threshold,
                    left,
                    right,
                } => self.split(feature as i64, threshold, places[left], places[right]),
            }
        }
        if let [Node::Leaf(_)] = tree.nodes[..] {
            self.split(0, ABOVE_ALL, (first_leaf, 1), (first_leaf, 1));
        }
    }

    fn split(&mut self, feature: i64, threshold: f64, left: (i64, i64), right: (i64, i64)) {
        self.features.push(feature);
        self.splits.push(threshold);
        self.left.push(left.0);
        self.left_is_leaf.push(left.1);
        self.right.push(right.0);
        self.right_is_leaf.push(right.1);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use foretide_forecasting::trees::Linear;
    use ort::session::Session;
    use ort::value::Tensor;
    use prost::Message;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::proto::{ModelProto, OperatorSetIdProto};
    use crate::{Runtime, library};

    const FEATURES: usize = 7;

    /// A tree of random depth whose thresholds lie on a coarse grid, so that rows hit them exactly.
    fn random_tree(rng: &mut ChaCha8Rng) -> Tree {
        let mut nodes = vec![Node::Leaf(rng.random_range(-1.0..1.0))];
        for _ in 0..rng.random_range(0..12) {
            let at = rng.random_range(0..nodes.len());
            if matches!(nodes[at], Node::Leaf(_)) {
                nodes[at] = Node::Split {
                    feature: rng.random_range(0..FEATURES),
                    threshold: f64::from(rng.random_range(-4_i32..4)) / 3.0,
                    left: nodes.len(),
                    right: nodes.len() + 1,
                };
                nodes.extend([0.0; 2].map(|_| Node::Leaf(rng.random_range(-1.0..1.0))));
            }
        }
        Tree { nodes }
    }

    fn random_model(rng: &mut ChaCha8Rng, trees: usize) -> TreesModel {
        TreesModel {
            linear: Linear {
                intercept: rng.random_range(-1.0..1.0),
                weights: (0..FEATURES).map(|_| rng.random_range(-1.0..1.0)).collect(),
            },
            trees: (0..trees).map(|_| random_tree(rng)).collect(),
        }
    }

    fn random_rows(rng: &mut ChaCha8Rng, count: usize) -> Vec<f64> {
        let mut rows = Vec::new();
        for _ in 0..count {
            rows.extend([rng.random_range(-9.0..9.0), rng.random_range(0.1..5.0)]);
            rows.extend((0..FEATURES).map(|_| f64::from(rng.random_range(-5_i32..5)) / 3.0));
        }
        rows
    }

    fn by_onnx(model: &TreesModel, rows: &[f64]) -> Vec<f64> {
        let width = ROW_HEAD + FEATURES;
        let mut graph = Graph::default();
        let features = graph.input("rows", Element::Double, &[width]);
        let Forecast { count, .. } = forecast(&mut graph, &features, model);
        let forecast = graph.columns(&[count]);
        graph.output(&forecast, "forecast", 1);
        let opset = |domain: &str, version| OperatorSetIdProto {
            domain: Some(domain.to_owned()),
            version: Some(version),
        };
        let artefact = ModelProto {
            ir_version: Some(9),
            opset_import: vec![opset("", 18), opset(DOMAIN, DOMAIN_VERSION)],
            graph: Some(graph.finish("trees")),
            ..ModelProto::default()
        };
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools");
        let runtime = Runtime::load(&library::ensure(&tools).unwrap()).unwrap();
        let mut session = Session::builder(runtime.environment())
            .unwrap()
            .commit_from_memory(&artefact.encode_to_vec())
            .unwrap();
        let shape = [rows.len() / width, width];
        let input = Tensor::from_array((shape, rows.to_vec())).unwrap();
        let outputs = session.run(ort::inputs!["rows" => input]).unwrap();
        let (_, values) = outputs["forecast"].try_extract_tensor::<f64>().unwrap();
        values.to_vec()
    }

    #[test]
    fn f8_trees_agree_also_where_a_feature_is_a_threshold() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for trees in [0, 1, 2, 17, 120] {
            let model = random_model(&mut rng, trees);
            let rows = random_rows(&mut rng, 300);
            for (row, onnx) in rows.chunks_exact(9).zip(by_onnx(&model, &rows)) {
                let native = model.predict(row);
                assert!((native - onnx).abs() < 1e-11, "{native} {onnx}");
            }
        }
    }
}
