//! Where replicas go: the fewest transfers to an even spread, exactly.
//!
//! Which peer holds which replica is a flow: every shard sends as many units as it wants replicas, each by way
//! of a *cell* (its collection on one peer) and that peer. A place where the replica is already costs nothing,
//! another one transfer; the `n`th unit on a cell and on a peer costs `2n - 1`, so that the sum is of squares
//! and smallest for an even spread. The cheapest flow is found by sending unit after unit along the cheapest
//! path, which may push aside what was placed before. Costs are whole numbers, so the result is exact.
//!
//! Paths are Dijkstra's, on costs that each node's *potential* keeps from being negative: what it has cost so
//! far to reach the node.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What a shard asks for.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    /// The collection, by number.
    pub(super) collection: usize,
    /// So many replicas, of which `home` are a part where they may stay.
    pub(super) want: usize,
    /// For each peer, whether a replica may be there.
    pub(super) allowed: Vec<bool>,
    /// For each peer, whether a replica is there, or costs as little as if it were.
    pub(super) home: Vec<bool>,
}

/// What comes first where transfers and evenness are at odds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Priority {
    /// The spread is as even as it can be.
    Evenness,
    /// No replica is transferred that need not be.
    Transfers,
}

/// Places what is asked for; the answer says for each claim and peer whether a replica should be there. `fixed`
/// is what each peer holds of each collection and keeps. A claim for which there are too few peers gets fewer.
pub(super) fn place(claims: &[Claim], fixed: Vec<Vec<usize>>, priority: Priority) -> Vec<Vec<bool>> {
    let mut flow = Flow::new(claims, fixed, priority);
    for (shard, claim) in claims.iter().enumerate() {
        flow.enter(shard);
        for _ in 0..claim.want {
            if !flow.send(shard) {
                break;
            }
        }
    }
    flow.placed
}

struct Flow<'a> {
    claims: &'a [Claim],
    /// The shards of each collection.
    shards: Vec<Vec<usize>>,
    peers: usize,
    placed: Vec<Vec<bool>>,
    /// What each peer holds of each collection; and the part of it that stays whatever happens.
    cells: Vec<Vec<usize>>,
    fixed: Vec<Vec<usize>>,
    loads: Vec<usize>,
    transfer: i64,
    evenness: i64,
    potentials: Vec<i64>,
}

/// A place on the way of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Shard(usize),
    Cell(usize, usize),
    Peer(usize),
    End,
}

/// The cheapest known way to each node, in costs above the potentials.
struct Ways {
    cost: Vec<i64>,
    from: Vec<Option<Node>>,
    queue: BinaryHeap<Reverse<(i64, usize)>>,
}

impl<'a> Flow<'a> {
    fn new(claims: &'a [Claim], fixed: Vec<Vec<usize>>, priority: Priority) -> Self {
        let peers = fixed.first().map_or(0, Vec::len);
        let mut shards = vec![Vec::new(); fixed.len()];
        for (shard, claim) in claims.iter().enumerate() {
            shards[claim.collection].push(shard);
        }
        let loads: Vec<usize> = (0..peers).map(|peer| fixed.iter().map(|cells| cells[peer]).sum()).collect();
        let wanted: usize = claims.iter().map(|claim| claim.want).sum();
        let units = i64::try_from(wanted + loads.iter().sum::<usize>()).unwrap_or(i64::MAX).max(1);
        // The dearer of the two outweighs all that the other could ever save.
        let (transfer, evenness) = match priority {
            Priority::Evenness => (1, units.saturating_add(1)),
            Priority::Transfers => (units.saturating_mul(units).saturating_mul(2).saturating_add(1), 1),
        };
        let placed = vec![vec![false; peers]; claims.len()];
        let potentials = vec![0; claims.len() + fixed.len() * peers + peers + 1];
        Self {
            claims,
            shards,
            peers,
            placed,
            cells: fixed.clone(),
            fixed,
            loads,
            transfer,
            evenness,
            potentials,
        }
    }

    /// Gives a shard that nothing leads to yet a potential with which no way out of it is negative.
    fn enter(&mut self, shard: usize) {
        let claim = &self.claims[shard];
        let ways = (0..self.peers).filter(|peer| claim.allowed[*peer]).map(|peer| {
            self.potentials[self.number(Node::Cell(claim.collection, peer))] - self.cost(shard, peer)
        });
        let potential = ways.max().unwrap_or(0);
        self.potentials[shard] = potential;
    }

    /// Sends one more unit from a shard along the cheapest way. `false` if there is none.
    fn send(&mut self, shard: usize) -> bool {
        let ways = self.ways(shard);
        let total = ways.cost[self.number(Node::End)];
        if total == i64::MAX {
            return false;
        }
        for (potential, cost) in self.potentials.iter_mut().zip(&ways.cost) {
            *potential += (*cost).min(total);
        }
        let mut node = Node::End;
        while let Some(before) = ways.from[self.number(node)] {
            match (before, node) {
                (Node::Shard(shard), Node::Cell(_, peer)) => self.placed[shard][peer] = true,
                (Node::Cell(_, peer), Node::Shard(shard)) => self.placed[shard][peer] = false,
                (Node::Cell(collection, peer), Node::Peer(_)) => self.cells[collection][peer] += 1,
                (Node::Peer(peer), Node::Cell(collection, _)) => self.cells[collection][peer] -= 1,
                (Node::Peer(peer), Node::End) => self.loads[peer] += 1,
                _ => {}
            }
            node = before;
        }
        true
    }

    fn ways(&self, shard: usize) -> Ways {
        let nodes = self.potentials.len();
        let queue = BinaryHeap::from([Reverse((0, shard))]);
        let mut ways = Ways { cost: vec![i64::MAX; nodes], from: vec![None; nodes], queue };
        ways.cost[shard] = 0;
        while let Some(Reverse((cost, number))) = ways.queue.pop() {
            if cost > ways.cost[number] {
                continue;
            }
            match self.node(number) {
                Node::End => break,
                node => self.look_around(node, &mut ways),
            }
        }
        ways
    }

    fn look_around(&self, node: Node, ways: &mut Ways) {
        match node {
            Node::Shard(shard) => {
                let claim = &self.claims[shard];
                for peer in (0..self.peers).filter(|peer| claim.allowed[*peer] && !self.placed[shard][*peer])
                {
                    self.reach(ways, node, Node::Cell(claim.collection, peer), self.cost(shard, peer));
                }
            }
            Node::Cell(collection, peer) => {
                self.reach(ways, node, Node::Peer(peer), self.next(self.cells[collection][peer]));
                for &other in self.shards[collection].iter().filter(|other| self.placed[**other][peer]) {
                    self.reach(ways, node, Node::Shard(other), -self.cost(other, peer));
                }
            }
            Node::Peer(peer) => {
                self.reach(ways, node, Node::End, self.next(self.loads[peer]));
                for (collection, cells) in self.cells.iter().enumerate() {
                    if cells[peer] > self.fixed[collection][peer] {
                        let back = -self.next(cells[peer] - 1);
                        self.reach(ways, node, Node::Cell(collection, peer), back);
                    }
                }
            }
            Node::End => {}
        }
    }

    fn reach(&self, ways: &mut Ways, from: Node, to: Node, cost: i64) {
        let (start, place) = (self.number(from), self.number(to));
        let cost = ways.cost[start] + cost + self.potentials[start] - self.potentials[place];
        if cost < ways.cost[place] {
            ways.cost[place] = cost;
            ways.from[place] = Some(from);
            ways.queue.push(Reverse((cost, place)));
        }
    }

    fn number(&self, node: Node) -> usize {
        let (cells, peers) = (self.claims.len(), self.claims.len() + self.cells.len() * self.peers);
        match node {
            Node::Shard(shard) => shard,
            Node::Cell(collection, peer) => cells + collection * self.peers + peer,
            Node::Peer(peer) => peers + peer,
            Node::End => peers + self.peers,
        }
    }

    fn node(&self, number: usize) -> Node {
        let (cells, peers) = (self.claims.len(), self.claims.len() + self.cells.len() * self.peers);
        match number {
            shard if shard < cells => Node::Shard(shard),
            cell if cell < peers => Node::Cell((cell - cells) / self.peers, (cell - cells) % self.peers),
            peer if peer < peers + self.peers => Node::Peer(peer - peers),
            _ => Node::End,
        }
    }

    fn cost(&self, shard: usize, peer: usize) -> i64 {
        if self.claims[shard].home[peer] { 0 } else { self.transfer }
    }

    /// What one more unit costs where so many are.
    fn next(&self, held: usize) -> i64 {
        let units = i64::try_from(held).unwrap_or(i64::MAX).saturating_mul(2).saturating_add(1);
        units.saturating_mul(self.evenness)
    }
}

/// The fewest transfers to an even spread that numbers alone allow: as if the replicas of a collection were all
/// alike and a peer could hold any of them. What a plan needs beyond that, it needs because a peer must not hold
/// two replicas of one shard.
pub(super) fn transfers_min(claims: &[Claim], fixed: &[Vec<usize>]) -> usize {
    let mut units = Vec::new();
    for claim in claims {
        let mut homes = (0..claim.home.len()).filter(|peer| claim.home[*peer]);
        for _ in 0..claim.want {
            let mut home = vec![false; claim.home.len()];
            if let Some(peer) = homes.next() {
                home[peer] = true;
            }
            let allowed = vec![true; claim.home.len()];
            units.push(Claim { collection: claim.collection, want: 1, allowed, home });
        }
    }
    let placed = place(&units, fixed.to_vec(), Priority::Evenness);
    let stays =
        |(unit, placed): (&Claim, &Vec<bool>)| (0..placed.len()).any(|peer| placed[peer] && unit.home[peer]);
    units.iter().zip(&placed).filter(|unit| !stays(*unit)).count()
}
