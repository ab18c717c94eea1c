import ConcordServer
import Testing

@Suite struct MetricTests {
    @Test func `all lines are Prometheus' text format`() throws {
        let metrics = ServerMetrics()
        metrics.request(model: "m", route: "/v2/models/{model}/infer", outcome: "ok", seconds: 0.3)
        metrics.items(model: "m", modality: .image, outcome: "ok", count: 3)
        metrics.stage(.queue, model: "m", seconds: 0.002)
        metrics.batch(model: "m", modality: .text, items: 5)
        metrics.queued(model: "m", modality: .text, items: 7)
        metrics.refused(reason: "quota")
        metrics.cache(hit: true)
        metrics.decodedPixels(307_200)
        metrics.resident(model: "m", bytes: 12345)
        let text = metrics.text()
        let sample = /[a-z_]+(\{[a-z]+="([^"\\\n]|\\["\\n])*"(,[a-z]+="([^"\\\n]|\\["\\n])*")*\})? (\+Inf|-?[0-9.e+-]+)/
        #expect(text.hasSuffix("\n"))
        var types: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                #expect(types.updateValue(words[3], forKey: words[2]) == nil, "twice: \(line)")
            } else if !line.hasPrefix("# HELP ") {
                #expect(line.wholeMatch(of: sample) != nil, "\(line)")
                let name = line.prefix { $0 != "{" && $0 != " " }
                let family = ["_bucket", "_sum", "_count"].first {
                    name.hasSuffix($0) && types[name.dropLast($0.count)] != nil
                }
                #expect(types[name.dropLast(family?.count ?? 0)] != nil, "no type before \(line)")
            }
        }
        for line in [
            "concord_requests_total{model=\"m\",route=\"/v2/models/{model}/infer\",outcome=\"ok\"} 1",
            "concord_items_total{model=\"m\",modality=\"image\",outcome=\"ok\"} 3",
            "concord_queue_items{model=\"m\",modality=\"text\"} 7", "concord_refused_total{reason=\"quota\"} 1",
            "concord_cache_total{result=\"hit\"} 1", "concord_decoded_pixels_total 307200",
            "concord_model_resident_bytes{model=\"m\"} 12345",
        ] { #expect(text.contains(line + "\n"), "\(line)") }
    }

    @Test func `buckets count what is at most their bound, all those before included`() {
        let metrics = ServerMetrics()
        for items in [1, 2, 3, 100] { metrics.batch(model: "m", modality: .text, items: items) }
        let text = metrics.text(), labels = "model=\"m\",modality=\"text\""
        for (bound, count) in [("1", 1), ("2", 2), ("4", 3), ("64", 3), ("+Inf", 4)] {
            #expect(text.contains("concord_batch_items_bucket{\(labels),le=\"\(bound)\"} \(count)\n"))
        }
        #expect(text.contains("concord_batch_items_sum{\(labels)} 106\n"))
        #expect(text.contains("concord_batch_items_count{\(labels)} 4\n"))
    }

    @Test func `labels are escaped and series bounded`() {
        let metrics = ServerMetrics()
        metrics.refused(reason: "a\"b\\c\nd")
        #expect(metrics.text().contains("concord_refused_total{reason=\"a\\\"b\\\\c\\nd\"} 1\n"))
        for index in 0..<5000 { metrics.refused(reason: "\(index)") }
        let text = metrics.text()
        #expect(text.split(separator: "\n").count { $0.hasPrefix("concord_refused_total") } == 1001)
        #expect(text.contains("concord_refused_total{reason=\"other\"} 4001\n"))
    }

    @Test func `a model that is gone has no bytes`() {
        let metrics = ServerMetrics()
        metrics.resident(model: "m", bytes: 5)
        metrics.resident(model: "m", bytes: nil)
        #expect(!metrics.text().contains("concord_model_resident_bytes{"))
    }
}
