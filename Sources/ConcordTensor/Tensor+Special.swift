import CTorch
import ConcordCore

// Operations whose arguments do not fit the table of scripts/ops.txt.

extension Tensor {
    /// A number divided by every element.
    public static func / (left: Double, right: Tensor) -> Tensor {
        right.reciprocal() * left
    }

    /// `x · Φ(x)` of every element, with the normal distribution Φ or its approximation by tanh (Hendrycks & Gimpel
    /// 2016).
    public func gelu(
        tanhApproximation: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let approximate = tanhApproximation ? "tanh" : "none"
        return perform("gelu", [.tensor(self)], ["approximate": .string(approximate)], file, line) {
            ctorch_gelu(handle, tanhApproximation, $0)
        }
    }

    /// The sum of products that an equation such as `"bnd,bmd->bnm"` describes.
    public static func einsum(
        _ equation: String, _ tensors: [Tensor], file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("einsum", [.list(tensors)], ["equation": .string(equation)], file, line) {
            ctorch_einsum(equation, handles(tensors), tensors.count, $0)
        }
    }

    /// The kernel of ``interpolated(height:width:mode:alignCorners:antialias:file:line:)``.
    package enum InterpolationMode: Int32, Sendable {
        case nearest = 0
        case bilinear = 1
        case bicubic = 2
    }

    /// `[batch, channels, height, width]` resized to another height and width.
    ///
    /// - Parameters:
    ///   - alignCorners: The corner elements keep their values; otherwise elements are areas, as in images.
    ///   - antialias: Widens the filter when shrinking. Not for `nearest`, nor together with `alignCorners`.
    package func interpolated(
        height: Int, width: Int, mode: InterpolationMode = .bilinear, alignCorners: Bool = false,
        antialias: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let name: StaticString =
            switch (mode, antialias) {
            case (.nearest, _): "upsample_nearest2d"
            case (.bilinear, false): "upsample_bilinear2d"
            case (.bilinear, true): "_upsample_bilinear2d_aa"
            case (.bicubic, false): "upsample_bicubic2d"
            case (.bicubic, true): "_upsample_bicubic2d_aa"
            }
        return perform(
            name, [.tensor(self)], ["output_size": .ints([height, width]), "align_corners": .bool(alignCorners)], file,
            line
        ) {
            ctorch_interpolate(handle, height, width, mode.rawValue, alignCorners, antialias, $0)
        }
    }

    /// The short-time Fourier transform of `[batch, samples]` or `[samples]`, as pairs (real, imaginary):
    /// `[batch, size / 2 + 1, frames, 2]`.
    ///
    /// - Parameters:
    ///   - size: Samples of one frame.
    ///   - hop: Samples between frames.
    ///   - window: Weights of a frame `[size]`; nil for ones.
    ///   - center: Pads both ends by `size / 2`, by reflection or else with zeros, so that frames are centered.
    package func stft(
        size: Int, hop: Int, window: Tensor?, center: Bool = true, reflect: Bool = true,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let complex = perform(
            "stft.center", [.tensor(self), .optional(window)],
            ["n_fft": .int(size), "hop_length": .int(hop), "center": .bool(center)], file, line
        ) {
            ctorch_stft(handle, size, hop, window?.handle, center, reflect, $0)
        }
        return complex.complexAsReal(file: file, line: line)
    }

    /// Elements addressed by one index tensor for each leading axis; the index tensors broadcast, and nil takes a whole
    /// axis. A boolean tensor picks where it is true.
    public func indexed(
        _ indices: [Tensor?], file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        perform("index.Tensor", [.tensor(self)] + indices.map { .optional($0) }, [:], file, line) {
            ctorch_index(handle, indices.map { $0?.handle }, indices.count, $0)
        }
    }

    /// Vectors along `axis` divided by their length, or by `epsilon` if that is larger.
    ///
    /// Vectors of bfloat16 and float16 come back in float32, as `normalize` of PyTorch gives them under CUDA's
    /// autocast: in bfloat16 a unit vector's length is off by up to 0.4 %, and its cosines with it.
    public func normalized(
        axis: Int = -1, epsilon: Double = 1e-12, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let isShort = dtype == .bfloat16 || dtype == .float16
        let vectors = isShort ? to(.float32, file: file, line: line) : self
        let length = vectors.norm(p: 2, axes: [axis], keepingAxes: true, file: file, line: line)
        return vectors / length.clamped(min: epsilon, file: file, line: line)
    }
}
