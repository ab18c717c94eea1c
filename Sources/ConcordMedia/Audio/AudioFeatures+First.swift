extension AudioFeatures {
    /// The first frames; all of a sound that has no more.
    package func first(_ count: Int) -> AudioFeatures {
        guard frames > count else { return self }
        var values = [Float]()
        values.reserveCapacity(channels * count * bins)
        for channel in 0..<channels {
            let start = channel * frames * bins
            values += self.values[start..<start + count * bins]
        }
        return AudioFeatures(
            values: values, channels: channels, frames: count, bins: bins, length: min(length, count), isLonger: true)
    }
}
