import CKernels
import Foundation
import TestSupport
import Testing

@testable import Tensors

/// Random weights `[outputs, k]` in 4 bits and activations `[m, k]` in 8 bits, as the kernels of a
/// table pack them.
private struct Quantised {
    let outputs: Int
    private let sizes: ProductSizes
    private let format: ck_format
    private let weight: Int4Matrix
    private var panels: [UInt8]
    private var rows: [UInt8]

    init(_ sizes: ProductSizes, _ kernels: ck_kernels) {
        let (m, k) = (sizes.m, sizes.k)
        let format = kernels.formats.int4
        (self.sizes, self.format) = (sizes, format)
        outputs = (sizes.n + 31) / 32 * 32
        var elements = randomFloats(outputs * k, seed: 2)
        // Scales of both signs, some of them subnormal halves.
        for index in elements.indices {
            elements[index] *= powf(10, Float(index / max(k, 1) % 5) - 4)
        }
        let weight = Int4Matrix(rounding: Matrix(rows: outputs, columns: k, elements: elements))
        self.weight = weight
        var panels = [UInt8](repeating: 0, count: outputs / 32 * format.panelBytes(k) + 1)
        for first in stride(from: 0, to: outputs, by: 16) {
            weight.blocks.withUnsafeBytes { blocks in
                panels.withUnsafeMutableBytes { panels in
                    format.pack_blocks!(
                        blocks.baseAddress! + first * weight.rowBytes, 16, k, first % 32,
                        panels.baseAddress! + first / 32 * format.panelBytes(k))
                }
            }
        }
        self.panels = panels
        var rows = [UInt8](repeating: 42, count: m * format.rowBytes(k) + 1)
        let x = randomFloats(m * k, seed: 1, in: -1...3)
        for row in 0..<m {
            rows.withUnsafeMutableBytes {
                let start = $0.baseAddress! + row * format.rowBytes(k)
                convert(Array(x[(row * k)..<(row * k + k)]), by: format, into: start)
            }
        }
        self.rows = rows
        #expect(rows.last == 42, "wrote past the rows")
    }

    /// The sums of all rows and outputs in f64, from the codes.
    var sums: [Double] {
        let (k, weights) = (sizes.k, weight.floats)
        return (0..<sizes.m).flatMap { row in
            let x = decoded(Array(rows[(row * format.rowBytes(k))...]), count: k)
            return (0..<outputs).map { output in
                zip(x, weights.row(output)).reduce(0.0) { $0 + $1.0 * Double($1.1) }
            }
        }
    }

    /// What the kernel makes of some rows.
    func product(
        of range: Range<Int>? = nil, _ epilogue: ck_epilogue, bias: [Float]?, columns: Int,
        before: [Float]
    ) -> [Float] {
        let range = range ?? 0..<sizes.m
        var c = before + [42]
        rows.withUnsafeBytes { rows in
            panels.withUnsafeBytes { panels in
                format.product(
                    ck_operand(
                        values: rows.baseAddress! + range.lowerBound * format.rowBytes(sizes.k),
                        stride: format.rowBytes(sizes.k), terms: 1, scales: nil, zeros: nil),
                    range.count, sizes.k,
                    ck_weights(panels: panels.baseAddress!, scales: nil, sums: nil), bias, &c,
                    columns, columns, epilogue)
            }
        }
        #expect(c.removeLast() == 42, "wrote past the product")
        return c
    }
}

/// Converts a row of activations.
private func convert(_ x: [Float], by format: ck_format, into row: UnsafeMutableRawPointer) {
    var (scale, zero): (Float, Int32) = (-1, -1)
    format.convert!(x, x.count, 1, row, format.rowBytes(x.count), &scale, &zero)
    #expect(scale == -1 && zero == -1, "wrote terms of a row")
}

/// The activations of a converted row.
private func decoded(_ row: [UInt8], count: Int) -> [Double] {
    (0..<count).map { i in
        let group = i / 32 * 40
        return Double(Int8(bitPattern: row[group + i % 32])) * Double(scale(row, group: i / 32))
    }
}

private func word(_ row: [UInt8], _ place: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(row[place + $1]) << (8 * $1) }
}

private func scale(_ row: [UInt8], group: Int) -> Float {
    Float(bitPattern: word(row, group * 40 + 32))
}

@Suite("Kernels of 4-bit integers, of every instruction set")
struct Int4KernelTests {
    private static let sizes =
        ProductSizes.all
        + [(2, 31, 40), (6, 1030, 33), (140, 65, 70)].map {
            ProductSizes(m: $0.0, k: $0.1, n: $0.2)
        }

    @Test("products agree with f64, with every epilogue", arguments: floatTables, sizes)
    func products(table: FloatTable, sizes: ProductSizes) {
        let quantised = Quantised(sizes, table.kernels)
        let (sums, bias) = (quantised.sums, randomFloats(quantised.outputs, seed: 3))
        for epilogue in epilogues {
            let columns = isGated(epilogue) ? (sizes.n + 1) / 2 : sizes.n
            let before = randomFloats(sizes.m * columns, seed: 4)
            expectClose(
                quantised.product(epilogue, bias: bias, columns: columns, before: before),
                finished(sums, bias: bias, before: before, n: columns, epilogue),
                absolute: 2e-5, relative: 2e-5)
        }
    }

    @Test("a row has the same product alone and among others", arguments: floatTables, sizes)
    func alone(table: FloatTable, sizes: ProductSizes) {
        let quantised = Quantised(sizes, table.kernels)
        let all = quantised.product(
            ck_epilogue_store, bias: nil, columns: sizes.n,
            before: [Float](repeating: 0, count: sizes.m * sizes.n))
        for row in 0..<sizes.m {
            let one = quantised.product(
                of: row..<row + 1, ck_epilogue_store, bias: nil, columns: sizes.n,
                before: [Float](repeating: 0, count: sizes.n))
            #expect(one == Array(all[row * sizes.n..<(row + 1) * sizes.n]))
        }
    }

    @Test(
        "activations are within half a step of their group, and the same everywhere",
        arguments: floatTables,
        [
            randomFloats(1, seed: 1), randomFloats(37, seed: 2),
            randomFloats(64, seed: 3, in: 2...9), randomFloats(95, seed: 4, in: -900 ... -0.1),
            [0, 0, 0], [0, -1, 0, 1e-3, 1e6],
        ])
    func activations(table: FloatTable, x: [Float]) {
        let format = table.kernels.formats.int4
        func converted(by format: ck_format) -> [UInt8] {
            var row = [UInt8](repeating: 42, count: format.rowBytes(x.count) + 1)
            row.withUnsafeMutableBytes { convert(x, by: format, into: $0.baseAddress!) }
            return row
        }
        let row = converted(by: format)
        #expect(row.last == 42, "wrote past the row")
        let values = decoded(row, count: x.count)
        for group in 0..<(x.count + 31) / 32 {
            let range = group * 32..<min(group * 32 + 32, x.count)
            let largest = x[range].map(abs).max()!
            #expect(abs(scale(row, group: group) - largest / 127) <= 1e-6 * largest)
            for i in range {
                let error = abs(Double(x[i]) - values[i])
                #expect(error <= 0.501 * Double(scale(row, group: group)))
            }
            let codes = row[group * 40..<group * 40 + 32].map { Int(Int8(bitPattern: $0)) }
            #expect(codes[range.count...].allSatisfy { $0 == 0 })
            let offset = Int32(bitPattern: word(row, group * 40 + 36))
            #expect(Int(offset) == -8 * codes.reduce(0, +))
        }
        #expect(row == converted(by: floatTables.last!.kernels.formats.int4))
    }

    @Test(
        "widened panels have the nearest integers, with a scale for each output",
        arguments: floatTables, [32, 64, 352])
    func widened(table: FloatTable, k: Int) {
        let formats = table.kernels.formats
        var elements = randomFloats(32 * k, seed: 5)
        // Groups of very different sizes, and an output of zeros.
        for index in elements.indices {
            elements[index] *= index / k == 7 ? 0 : powf(3, Float(index / 32 % 5))
        }
        let weight = Int4Matrix(rounding: Matrix(rows: 32, columns: k, elements: elements))
        var panel = [UInt8](repeating: 0, count: formats.int4.panelBytes(k))
        formats.int4.pack_blocks!(weight.blocks, 32, k, 0, &panel)
        let bytes = formats.int8.panelBytes(k)
        var wide = [UInt8](repeating: 42, count: bytes + 1)
        var (scales, sums) = ([Float](repeating: -1, count: 32), [Int32](repeating: -1, count: 32))
        formats.int4.widen!(panel, k, bytes, &wide, &scales, &sums)
        #expect(wide.removeLast() == 42, "wrote past the panel")
        for lane in 0..<32 {
            let want = weight.floats.row(lane)
            var row = [Float](repeating: 0, count: k)
            formats.int8.unpack_row(wide, lane, k, scales[lane], &row)
            // Half an integer, and the error of the ratio of scales for codes up to 8.
            for (got, want) in zip(row, want) { #expect(abs(got - want) <= 0.54 * scales[lane]) }
            let codes = row.map { scales[lane] == 0 ? 0 : ($0 / scales[lane]).rounded() }
            #expect(codes.allSatisfy { abs($0) <= 127 })
            #expect(sums[lane] == Int32(codes.reduce(0, +)))
        }
        #expect(wide[(32 * k)...].allSatisfy { $0 == 0 })
    }

    @Test("lanes are packed one by one, and read back", arguments: floatTables, [1, 32, 45, 96])
    func lanes(table: FloatTable, k: Int) {
        let format = table.kernels.formats.int4
        let weight = Int4Matrix(
            rounding: Matrix(rows: 32, columns: k, elements: randomFloats(32 * k, seed: 1)))
        let want = weight.floats
        var panel = [UInt8](repeating: 0, count: format.panelBytes(k) + 1)
        for lane in [31, 0, 17] + Array(1..<31) {
            let before = panel
            let blocks = Array(weight.blocks[(lane * weight.rowBytes)...])
            format.pack_blocks!(blocks, 1, k, lane, &panel)
            var row = [Float](repeating: 42, count: k + 1)
            format.unpack_row(panel, lane, k, 1, &row)
            #expect(row.removeLast() == 42, "wrote past the row")
            #expect(row == Array(want.row(lane)))
            // Two bytes of a scale and 16 of codes for each group.
            let changed = zip(panel, before).count { $0 != $1 }
            #expect(changed <= weight.rowBytes)
        }
        #expect(panel.last == 0, "wrote past the panel")
    }
}
