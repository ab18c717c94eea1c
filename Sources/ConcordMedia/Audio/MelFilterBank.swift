import ConcordCore

/// The weights with which the lines of a spectrum make up mel bands: only a few lines next to each other have any.
struct MelFilterBank {
    /// Of each band, the first line with a weight, and how many have one.
    private(set) var first: [Int32] = []
    private(set) var counts: [Int32] = []
    /// The weights of the first band's lines, then those of the second's, and so on.
    private(set) var weights: [Double] = []

    /// The triangles of transformers' `mel_filter_bank`.
    init(_ mel: MelSpectrogram) {
        let lines = mel.transformSize / 2 + 1
        let (low, high) = (
            mel.scale.mels(mel.frequencies.lowerBound), mel.scale.mels(mel.frequencies.upperBound)
        )
        let step = (high - low) / Double(mel.bins + 1)
        let mels = (0...(mel.bins + 1)).map { $0 == mel.bins + 1 ? high : Double($0) * step + low }
        let corners = mels.map(mel.scale.hertz)
        let edges = mel.hasTrianglesInMels ? mels : corners
        let positions = (0..<lines).map { line -> Double in
            if mel.hasTrianglesInMels {
                return mel.scale.mels(Double(mel.sampleRate) / Double(mel.transformSize) * Double(line))
            }
            let last = Double(mel.sampleRate / 2)
            return line == lines - 1 ? last : Double(line) * (last / Double(lines - 1))
        }
        for band in 0..<mel.bins {
            let (left, middle, right) = (edges[band], edges[band + 1], edges[band + 2])
            let norm = mel.isAreaNormalized ? 2 / (corners[band + 2] - corners[band]) : 1
            let band = positions.map { position in
                norm * max(0, min((position - left) / (middle - left), (right - position) / (right - middle)))
            }
            let start = band.firstIndex { $0 > 0 } ?? 0
            let end = band.lastIndex { $0 > 0 }.map { $0 + 1 } ?? start
            first.append(Int32(start))
            counts.append(Int32(end - start))
            weights += band[start..<end]
        }
    }
}

extension MelSpectrogram.Scale {
    /// The mels of a frequency in Hz.
    func mels(_ frequency: Double) -> Double {
        switch self {
        case .htk: return 2595 * log10(1 + frequency / 700)
        case .kaldi: return 1127 * log(1 + frequency / 700)
        case .slaney:
            guard frequency >= 1000 else { return 3 * frequency / 200 }
            return 15 + log(frequency / 1000) * (27 / log(6.4))
        }
    }

    /// The frequency in Hz of so many mels.
    func hertz(_ mels: Double) -> Double {
        switch self {
        case .htk: return 700 * (pow(10, mels / 2595) - 1)
        case .kaldi: return 700 * (exp(mels / 1127) - 1)
        case .slaney:
            guard mels >= 15 else { return 200 * mels / 3 }
            return 1000 * exp(log(6.4) / 27 * (mels - 15))
        }
    }
}

extension MelSpectrogram {
    /// What a frame is multiplied by, `[frameSize]`.
    var windowValues: [Double] {
        let last = isPeriodic ? frameSize : frameSize - 1
        guard last > 0 else { return [1] }
        return (0..<frameSize).map { index in
            let cosine = cos(.pi * Double(2 * index - last) / Double(last))
            switch window {
            case .hann: return 0.5 + 0.5 * cosine
            case .hamming: return 0.54 + 0.46 * cosine
            case .povey: return pow(0.5 + 0.5 * cosine, 0.85)
            }
        }
    }
}
