//! Minimum-cost flow by successive shortest paths.

/// An arc and its mirror stand side by side: `index ^ 1` is the other one.
struct Arc {
    to: usize,
    capacity: i64,
    cost: i64,
}

/// A network whose arcs carry as much as is sent along them, at a cost that is not negative.
pub(super) struct Network {
    arcs: Vec<Arc>,
    leaving: Vec<Vec<usize>>,
    supply: Vec<i64>,
}

const UNBOUNDED: i64 = i64::MAX / 4;

impl Network {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            arcs: Vec::new(),
            leaving: vec![Vec::new(); nodes],
            supply: vec![0; nodes],
        }
    }

    /// Adds an arc without limit and gives its index.
    pub(super) fn add_arc(&mut self, from: usize, to: usize, cost: i64) -> usize {
        let index = self.arcs.len();
        let capacity = UNBOUNDED;
        self.arcs.push(Arc { to, capacity, cost });
        self.arcs.push(Arc {
            to: from,
            capacity: 0,
            cost: -cost,
        });
        self.leaving[from].push(index);
        self.leaving[to].push(index + 1);
        index
    }

    /// Adds to what a node gives (or takes, when negative).
    pub(super) fn supply(&mut self, node: usize, amount: i64) {
        self.supply[node] += amount;
    }

    /// What flows along an arc.
    pub(super) fn flow(&self, arc: usize) -> i64 {
        self.arcs[arc ^ 1].capacity
    }

    /// Sends all supply to where it is taken at the least cost. Supply that cannot get anywhere
    /// stays.
    pub(super) fn solve(&mut self) {
        for source in 0..self.supply.len() {
            while self.supply[source] > 0 {
                let Some(path) = self.cheapest_path(source) else {
                    break;
                };
                self.send(source, &path);
            }
        }
    }

    /// Arcs from `source` to the taking node that is cheapest to reach (Bellman and Ford, with a
    /// queue; mirror arcs have negative cost, but no cycle does).
    fn cheapest_path(&self, source: usize) -> Option<Vec<usize>> {
        let nodes = self.leaving.len();
        let mut distance = vec![UNBOUNDED; nodes];
        let mut arrived_by = vec![usize::MAX; nodes];
        let mut is_queued = vec![false; nodes];
        let mut queue = std::collections::VecDeque::from([source]);
        distance[source] = 0;
        while let Some(node) = queue.pop_front() {
            is_queued[node] = false;
            for &index in &self.leaving[node] {
                let arc = &self.arcs[index];
                let reached = distance[node] + arc.cost;
                if arc.capacity > 0 && reached < distance[arc.to] {
                    distance[arc.to] = reached;
                    arrived_by[arc.to] = index;
                    if !is_queued[arc.to] {
                        is_queued[arc.to] = true;
                        queue.push_back(arc.to);
                    }
                }
            }
        }
        let takes = (0..nodes).filter(|&node| self.supply[node] < 0 && distance[node] < UNBOUNDED);
        let mut node = takes.min_by_key(|&node| distance[node])?;
        let mut path = Vec::new();
        while node != source {
            let index = arrived_by[node];
            path.push(index);
            node = self.arcs[index ^ 1].to;
        }
        path.reverse();
        Some(path)
    }

    fn send(&mut self, source: usize, path: &[usize]) {
        let target = path.last().map_or(source, |&index| self.arcs[index].to);
        let narrowest = path.iter().map(|&index| self.arcs[index].capacity);
        let amount = narrowest
            .fold(self.supply[source], i64::min)
            .min(-self.supply[target]);
        for &index in path {
            self.arcs[index].capacity -= amount;
            self.arcs[index ^ 1].capacity += amount;
        }
        self.supply[source] -= amount;
        self.supply[target] += amount;
    }
}
