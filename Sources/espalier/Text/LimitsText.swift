import Console
import Pipeline
import Reporting
import Tensors

extension LimitsAnswer {
    /// The limits as text for people.
    var text: String {
        var table = Table("limit", "rate", "±", "of limit")
        func add(_ name: String, _ rate: Figure, _ unit: String, of limit: Figure? = nil) {
            table.add(
                name, "\(Figures.significant(rate.median / 1e9, digits: 4)) \(unit)",
                Figures.percent(rate.spread / 2), limit.map { Figures.percent($0.median) } ?? "–")
        }
        let unit = precision == .int8 || precision == .int4 ? "GOP/s" : "GFLOP/s"
        add(
            "\(precision.rawValue) multiply-adds, 1 thread, \(instructionSet)", arithmeticPeak, unit
        )
        for product in products {
            add(
                "product \(product.m) × \(product.k) × \(product.n)", product.rate, unit,
                of: product.fractionOfPeak)
        }
        if let barrier {
            table.add(
                "barrier of all threads", Figures.duration(barrier.median, digits: 3),
                Figures.percent(barrier.spread / 2), "–")
        }
        add("memory reads", readBandwidth, "GB/s")
        if let decode {
            add(
                "reads of a decode step", decode.bytesPerSecond, "GB/s",
                of: decode.fractionOfBandwidth)
        }
        return table.rendered()
    }
}
