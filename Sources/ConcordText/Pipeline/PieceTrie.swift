/// The byte strings of a vocabulary as a tree, to find which of them begin at a place of a text.
///
/// The children of a node lie side by side, in the order of their bytes.
struct PieceTrie: Sendable {
    /// The first child of each node; the next node's first child ends them.
    private var firstChild: [Int32] = []
    /// The byte that leads to each node.
    private var labels: [UInt8] = []
    /// The value of the byte string that ends at each node; `absent` for most.
    private var values: [Int32] = []

    static let absent: Int32 = -1
    static let root = 0

    /// Makes the tree of keys, which must be different and not empty.
    init(_ keys: [(key: ArraySlice<UInt8>, value: Int32)]) {
        let keys = keys.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        // Nodes in breadth-first order: each stands for the keys that share the bytes up to it.
        var queue: [(keys: Range<Int>, depth: Int)] = [(keys.indices, 0)]
        labels = [0]
        values = [Self.absent]
        var node = 0
        while node < queue.count {
            var (range, depth) = queue[node]
            if let first = range.first, keys[first].key.count == depth {
                values[node] = keys[first].value
                range = (first + 1)..<range.upperBound
            }
            firstChild.append(Int32(queue.count))
            var start = range.lowerBound
            while start < range.upperBound {
                let label = keys[start].key[keys[start].key.startIndex + depth]
                var end = start + 1
                while end < range.upperBound, keys[end].key[keys[end].key.startIndex + depth] == label { end += 1 }
                queue.append((start..<end, depth + 1))
                labels.append(label)
                values.append(Self.absent)
                start = end
            }
            node += 1
        }
        firstChild.append(Int32(queue.count))
    }

    /// The node behind `node` by a byte.
    func child(of node: Int, _ byte: UInt8) -> Int? {
        var lower = Int(firstChild[node])
        var upper = Int(firstChild[node + 1])
        while upper - lower > 4 {
            let middle = (lower + upper) / 2
            if labels[middle] <= byte { lower = middle } else { upper = middle }
        }
        while lower < upper {
            if labels[lower] == byte { return lower }
            lower += 1
        }
        return nil
    }

    /// The value of the byte string that ends at a node, or `absent`.
    func value(at node: Int) -> Int32 { values[node] }

    /// The value of a whole byte string, or `absent`.
    func value(of key: ArraySlice<UInt8>) -> Int32 {
        var node = Self.root
        for byte in key {
            guard let next = child(of: node, byte) else { return Self.absent }
            node = next
        }
        return values[node]
    }

    /// The longest byte string that begins at `start` of a text: its end and its value.
    func longestMatch(in text: ArraySlice<UInt8>, from start: Int) -> (end: Int, value: Int32)? {
        var node = Self.root
        var longest: (end: Int, value: Int32)?
        for position in start..<text.endIndex {
            guard let next = child(of: node, text[position]) else { break }
            node = next
            if values[node] != Self.absent { longest = (position + 1, values[node]) }
        }
        return longest
    }
}
