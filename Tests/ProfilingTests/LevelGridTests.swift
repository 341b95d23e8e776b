import ModelFiles
import Profiling
import Tensors
import Testing
import Transformers

@Suite("LevelGrid")
struct LevelGridTests {
    private func shape(groups: Int, widths: [Int]) -> ModelShape {
        var shape = smallShape
        shape.layers = widths.map {
            LayerShape(queryHeads: 3 * groups, keyValueHeads: groups, feedForward: $0)
        }
        return shape
    }

    @Test("the grid contains every attention level")
    func attention() {
        let levels = LevelGrid.levels(of: .attention, in: shape(groups: 4, widths: [64, 64]))
        #expect(levels == [4, 3, 2, 1])
    }

    /// The widths are 1536 · 0.9^i, rounded to the nearest multiple of 32, and at least 32.
    @Test("the grid of SmolLM2 has the widths that were computed by hand")
    func widths() {
        let levels = LevelGrid.levels(of: .feedForward, in: shape(groups: 3, widths: [1536]))
        #expect(
            levels == [
                1536, 1376, 1248, 1120, 992, 896, 832, 736, 672, 608, 544, 480, 448, 384, 352, 320,
                288, 256, 224, 192, 160, 128, 96, 64, 32,
            ])
    }

    @Test("widths fit the steps of tile registers")
    func tiles() {
        let levels = LevelGrid.levels(
            of: .feedForward, in: shape(groups: 3, widths: [1536]), granularity: 64)
        #expect(
            levels == [
                1536, 1408, 1216, 1088, 1024, 896, 832, 704, 640, 576, 512, 448, 384, 320, 256, 192,
                128, 64,
            ])
        for precision in Precision.allCases {
            let granularity = LevelGrid.granularity(in: [.f32, precision])
            #expect(granularity % 32 == 0 && granularity % (precision.tileInputs ?? 1) == 0)
            #expect(precision.tileInputs != nil || granularity == 32)
        }
    }

    @Test(
        "the grid is valid for every width",
        arguments: [0, 1, 31, 32, 33, 48, 64, 96, 100, 4864, 18944])
    func sound(width: Int) {
        let levels = LevelGrid.levels(of: .feedForward, in: shape(groups: 1, widths: [0, width]))
        #expect(levels.first == (width == 0 ? nil : width))
        for (above, level) in zip(levels, levels.dropFirst()) {
            #expect(level < above && level >= 32 && level % 32 == 0)
            #expect(above - level <= max(32, width / 8))
        }
        if let minimum = levels.last, width > 32 {
            #expect(Double(minimum) <= max(32, 0.0112 * Double(width) + 16))
            #expect(Double(minimum) >= 0.01 * Double(width) - 16)
        }
    }
}
