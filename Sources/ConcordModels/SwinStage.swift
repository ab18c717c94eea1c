import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// A stage of a Swin transformer (Liu et al. 2021): blocks, then patches merged two by two except after the last stage.
///
/// `[batch, side², width] → [batch, (side / 2)², 2 · width]`. Follows `ClapAudioStage` of transformers 5.23.
struct SwinStage {
    private let blocks: [SwinBlock]
    private let merging: PatchMerging?

    init(_ scope: ParameterScope, _ configuration: HTSATConfiguration, stage: Int) {
        let width = configuration.width(stage: stage), side = configuration.side(stage: stage)
        blocks = (0..<configuration.depths[stage]).map { index in
            SwinBlock(
                scope / "blocks" / index, configuration, width: width, heads: configuration.heads[stage], side: side,
                // Every other block looks across the borders of the windows; there are none in a single one.
                shift: index.isMultiple(of: 2) || side <= configuration.windowSize ? 0 : configuration.windowSize / 2)
        }
        let isLast = stage == configuration.depths.count - 1
        merging = isLast ? nil : PatchMerging(scope / "downsample", width: width, side: side)
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let result = blocks.reduce(x) { $1($0) }
        return merging.map { $0(result) } ?? result
    }
}

/// A pre-norm residual block whose attention stays within windows: `[batch, side², width]`.
private struct SwinBlock {
    private let attentionNorm, norm: LayerNorm
    private let attention: WindowAttention
    private let up, down: Linear
    private let activation: Activation

    init(
        _ scope: ParameterScope, _ configuration: HTSATConfiguration, width: Int, heads: Int, side: Int, shift: Int
    ) {
        let epsilon = configuration.layerNormEpsilon
        attentionNorm = LayerNorm(scope / "layernorm_before", width, epsilon: epsilon)
        attention = WindowAttention(
            scope / "attention", width: width, heads: heads, side: side, window: configuration.windowSize,
            shift: shift, hasBias: configuration.hasAttentionBias)
        norm = LayerNorm(scope / "layernorm_after", width, epsilon: epsilon)
        let inner = Int(configuration.perceptronRatio * Double(width))
        up = Linear(scope / "intermediate" / "dense", width, inner, target: .mlp)
        down = Linear(scope / "output" / "dense", inner, width, target: .mlp)
        activation = configuration.activation
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let h = x + attention(attentionNorm(x))
        return h + down(activation(up(norm(h))))
    }
}

/// Multi-head attention within square windows of a grid of tokens, with a learned bias for each distance:
/// `[batch, side², width] → [batch, side², width]`.
///
/// With a shift the windows are moved by it, and wrap around at the edges, where a mask keeps strangers apart.
private struct WindowAttention {
    private let query, key, value, output: Linear
    /// `[(2 · window - 1)², heads]`, and the row of it for each pair of tokens `[window², window²]`.
    private let biasTable, biasIndex: Tensor
    /// What is added to the scores, `[windows, 1, window², window²]`; nil where nothing is masked.
    private let mask: Tensor?
    private let heads, side, window, shift: Int

    init(
        _ scope: ParameterScope, width: Int, heads: Int, side: Int, window: Int, shift: Int, hasBias: Bool
    ) {
        let own = scope / "self"
        let distances = 2 * window - 1
        biasTable = own.parameter("relative_position_bias_table", [distances * distances, heads], .zeros)
        biasIndex = own.buffer("relative_position_index", Self.distances(window: window))
        query = Linear(own / "query", width, width, hasBias: hasBias, target: .q)
        key = Linear(own / "key", width, width, hasBias: hasBias, target: .k)
        value = Linear(own / "value", width, width, hasBias: hasBias, target: .v)
        output = Linear(scope / "output" / "dense", width, width, target: .out)
        mask = shift == 0 ? nil : Self.mask(side: side, window: window, shift: shift).to(scope.store.device)
        (self.heads, self.side, self.window, self.shift) = (heads, side, window, shift)
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let (batch, width) = (x.size(0), x.size(2))
        let count = side / window, tokens = window * window
        let windows = count * count
        var grid = x.reshaped([batch, side, side, width])
        if shift > 0 { grid = grid.rolled(by: [-shift, -shift], axes: [1, 2]) }
        let cut = grid.reshaped([batch, count, window, count, window, width])
            .permuted([0, 1, 3, 2, 4, 5])  // [B, n, w, n, w, C] → [B, n, n, w, w, C]
            .reshaped([batch * windows, tokens, width])
        // Windows beside heads, so that one bias serves all rows of the batch.
        func split(_ linear: Linear) -> Tensor {
            linear(cut).reshaped([batch, windows, tokens, heads, width / heads])
                .transposed(2, 3)  // [B, windows, T, H, D] → [B, windows, H, T, D]
                .reshaped([batch, windows * heads, tokens, width / heads])
        }
        let mixed = Tensor.scaledDotProductAttention(
            query: split(query), key: split(key), value: split(value), mask: bias(windows: windows))
        let joined = mixed.reshaped([batch, windows, heads, tokens, width / heads])
            .transposed(2, 3)
            .reshaped([batch, count, count, window, window, width])
            .permuted([0, 1, 3, 2, 4, 5])
            .reshaped([batch, side, side, width])
        let back = shift > 0 ? joined.rolled(by: [shift, shift], axes: [1, 2]) : joined
        return output(back.reshaped([batch, side * side, width]))
    }

    /// What is added to the scores of a row: `[1, windows · heads, window², window²]`.
    private func bias(windows: Int) -> Tensor {
        let tokens = window * window
        let own = biasTable.indexSelected(axis: 0, biasIndex.flattened())
            .reshaped([1, tokens, tokens, heads]).permuted([0, 3, 1, 2])  // [1, H, T, T]
        let all = mask.map { own + $0.to(own.dtype) } ?? own.expanded(to: [windows, heads, tokens, tokens])
        return all.reshaped([1, windows * heads, tokens, tokens])
    }

    /// The row of the bias table for each pair of tokens of a window: by the distance down, then by that across.
    private static func distances(window: Int) -> Tensor {
        let tokens = window * window, span = 2 * window - 1
        let values = (0..<tokens * tokens).map { pair in
            let (one, other) = (pair / tokens, pair % tokens)
            let down = one / window - other / window + window - 1, across = one % window - other % window + window - 1
            return down * span + across
        }
        return Tensor(values, shape: [tokens, tokens])
    }

    /// -100 for tokens of one window that were not neighbors before the shift, `[windows, 1, window², window²]`.
    private static func mask(side: Int, window: Int, shift: Int) -> Tensor {
        /// The part of the grid that a row or column belongs to: what the shift moved around the edge is the last.
        func region(_ place: Int) -> Int { place < side - window ? 0 : place < side - shift ? 1 : 2 }
        let count = side / window, tokens = window * window
        var values = [Float]()
        values.reserveCapacity(count * count * tokens * tokens)
        for place in 0..<count * count {
            let regions = (0..<tokens).map { token in
                3 * region(place / count * window + token / window) + region(place % count * window + token % window)
            }
            for one in regions { for other in regions { values.append(one == other ? 0 : -100) } }
        }
        return Tensor(values, shape: [count * count, 1, tokens, tokens])
    }
}

/// Patches merged two by two: `[batch, side², width] → [batch, (side / 2)², 2 · width]`.
private struct PatchMerging {
    private let norm: LayerNorm
    private let reduction: Linear
    private let side: Int

    init(_ scope: ParameterScope, width: Int, side: Int) {
        reduction = Linear(scope / "reduction", 4 * width, 2 * width, hasBias: false)
        norm = LayerNorm(scope / "norm", 4 * width)
        self.side = side
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let (batch, width) = (x.size(0), x.size(2)), half = side / 2
        let merged = x.reshaped([batch, half, 2, half, 2, width])
            .permuted([0, 1, 3, 4, 2, 5])  // [B, h, row, w, column, C] → [B, h, w, column, row, C]
            .reshaped([batch, half * half, 4 * width])
        return reduction(norm(merged))
    }
}
