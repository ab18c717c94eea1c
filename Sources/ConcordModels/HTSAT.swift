import ConcordCheckpoint
import ConcordCore
import ConcordNN
import ConcordTensor

/// HTS-AT (Chen et al. 2022): log-mel spectrograms `[batch, channels, frames, bins]`, in decibels → `[batch, width]`.
///
/// Follows `ClapAudioEncoder` in `models/clap/modeling_clap.py` of transformers 5.23, with its names. The batch norms
/// use the statistics of the checkpoint, in training too.
package struct HTSAT {
    package let configuration: HTSATConfiguration
    private let batchNorm: BatchNorm
    private let patchEmbedding: PatchEmbedding
    private let stages: [SwinStage]
    private let norm: LayerNorm

    package init(_ scope: ParameterScope, _ configuration: HTSATConfiguration) {
        batchNorm = BatchNorm(scope / "batch_norm", configuration.bins, trailingAxes: 0)
        patchEmbedding = PatchEmbedding(scope / "patch_embed", configuration)
        stages = configuration.depths.indices.map { SwinStage(scope / "layers" / $0, configuration, stage: $0) }
        norm = LayerNorm(scope / "norm", configuration.width)
        self.configuration = configuration
    }

    /// - Parameter lengths: frames of each clip, int64 `[batch]`; a model that fuses long clips takes a clip for longer
    ///   when it has more frames than its spectrogram. Nil where none has.
    package func callAsFunction(_ features: Tensor, lengths: Tensor? = nil) -> Tensor {
        let isLonger = configuration.fusesLongClips ? lengths?.greater(than: Double(features.size(2))) : nil
        let tokens = patchEmbedding(folded(batchNorm(features)), isLonger: isLonger)
        return norm(stages.reduce(tokens) { $1($0) }).mean(axes: [1])
    }

    /// A spectrogram cut into strips of time that stand one above the other: `[batch, channels, frames, bins]` →
    /// `[batch, channels, side, side]`.
    private func folded(_ spectrogram: Tensor) -> Tensor {
        let side = configuration.pictureSize, strips = configuration.strips, bins = configuration.bins
        let frames = spectrogram.size(2)
        precondition(
            frames <= configuration.longestFrames, "\(frames) frames are more than the \(configuration.longestFrames)")
        let stretched =
            frames < configuration.longestFrames
            ? spectrogram.interpolated(
                height: configuration.longestFrames, width: bins, mode: .bicubic, alignCorners: true) : spectrogram
        let (batch, channels) = (spectrogram.size(0), spectrogram.size(1))
        return stretched.reshaped([batch, channels * strips, side, bins])
            .transposed(2, 3)  // [B, C · strips, time, bins] → [B, C · strips, bins, time]
            .reshaped([batch, channels, side, side])
    }

    /// Patches of the folded picture: `[batch, channels, side, side] → [batch, patches, width]`.
    private struct PatchEmbedding {
        let whole: Convolution2D
        let norm: LayerNorm?
        /// The patches of the crops, three times as long, and their fusion with those of the whole clip.
        let fusion: (crops: Convolution2D, join: AttentionalFeatureFusion)?

        init(_ scope: ParameterScope, _ configuration: HTSATConfiguration) {
            let width = configuration.patchWidth, size = configuration.patchSize, stride = configuration.patchStride
            let padding = (size - stride) / 2
            whole = Convolution2D(scope / "proj", 1, width, kernelSize: size, stride: stride, padding: padding)
            norm = configuration.hasPatchNorm ? LayerNorm(scope / "norm", width) : nil
            fusion =
                configuration.fusesLongClips
                ? (
                    Convolution2D(
                        scope / "mel_conv2d", 1, width, kernel: [size, 3 * size], stride: [stride, 3 * stride],
                        padding: [padding, padding]),
                    AttentionalFeatureFusion(
                        scope / "fusion_model", width: width, reduction: configuration.fusionReduction)
                ) : nil
        }

        /// - Parameter isLonger: the rows whose crops count, boolean `[batch]`; nil for none.
        func callAsFunction(_ picture: Tensor, isLonger: Tensor?) -> Tensor {
            var patches = whole(picture.sliced(axis: 1, from: 0, to: 1))  // [B, C, h, w]
            if let fusion, let isLonger {
                let joined = fusion.join(patches, cropPatches(picture, fusion.crops, width: patches.size(3)))
                patches = .where(isLonger.reshaped([-1, 1, 1, 1]), joined, patches)
            }
            let tokens = patches.flattened(from: 2).transposed(1, 2)  // [B, h · w, C]
            return norm.map { $0(tokens) } ?? tokens
        }

        /// The patches of the three crops, one crop after the other along the width, zeros after them:
        /// `[batch, 4, side, side] → [batch, width, h, w]`.
        private func cropPatches(_ picture: Tensor, _ convolution: Convolution2D, width: Int) -> Tensor {
            let side = picture.size(2), batch = picture.size(0)
            let crops = convolution(picture.sliced(axis: 1, from: 1).reshaped([batch * 3, 1, side, side]))
            let (channels, height, own) = (crops.size(1), crops.size(2), crops.size(3))
            let joined = crops.reshaped([batch, 3, channels, height, own])
                .permuted([0, 2, 3, 1, 4])  // [B, 3, C, h, w] → [B, C, h, 3, w]
                .flattened(from: 3)
            return joined.padded([0, width - 3 * own])
        }
    }
}

/// Attentional feature fusion (Dai et al. 2021): a learned mean of two maps, `[batch, width, h, w]` each.
///
/// Follows `ClapAudioAFFBlock` of transformers 5.23; it weighs by twice the share.
private struct AttentionalFeatureFusion {
    private let local, global: Branch

    init(_ scope: ParameterScope, width: Int, reduction: Int) {
        local = Branch(scope / "local_att", width: width, reduction: reduction, first: 0)
        // The first layer of it is the mean, which has no parameters.
        global = Branch(scope / "global_att", width: width, reduction: reduction, first: 1)
    }

    func callAsFunction(_ x: Tensor, _ y: Tensor) -> Tensor {
        let sum = x + y
        let share = (local(sum) + global(sum.mean(axes: [2, 3], keepingAxes: true))).sigmoid()
        return 2 * x * share + 2 * y * (1 - share)
    }

    private struct Branch {
        let down, up: Convolution2D
        let downNorm, upNorm: BatchNorm

        init(_ scope: ParameterScope, width: Int, reduction: Int, first: Int) {
            let inner = width / reduction
            down = Convolution2D(scope / first, width, inner, kernelSize: 1)
            downNorm = BatchNorm(scope / (first + 1), inner, trailingAxes: 2)
            up = Convolution2D(scope / (first + 3), inner, width, kernelSize: 1)
            upNorm = BatchNorm(scope / (first + 4), width, trailingAxes: 2)
        }

        func callAsFunction(_ x: Tensor) -> Tensor { upNorm(up(downNorm(down(x)).relu())) }
    }
}
