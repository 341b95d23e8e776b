internal import Tensors
internal import Transformers

/// Selects channels of the residual stream in the weights; nil selects all channels.
extension EmbeddingWeights {
    func selecting(channels: [Int]?) -> EmbeddingWeights {
        guard let channels else { return self }
        return EmbeddingWeights(
            tokens: tokens.selecting(columns: channels),
            positions: positions?.selecting(columns: channels),
            types: types?.selecting(columns: channels), norm: norm?.selecting(channels),
            biases: biases)
    }
}

extension HeadWeights {
    func selecting(channels: [Int]?) -> HeadWeights {
        guard let channels else { return self }
        return HeadWeights(
            norm: norm?.selecting(channels), output: output?.selecting(columns: channels))
    }
}

extension LayerWeights {
    func selecting(channels: [Int]?) -> LayerWeights {
        guard let channels else { return self }
        var layer = self
        if let block = attention {
            layer.attention?.query = block.query.selecting(columns: channels)
            layer.attention?.key = block.key.selecting(columns: channels)
            layer.attention?.value = block.value.selecting(columns: channels)
            layer.attention?.output = block.output.selecting(rows: channels)
        }
        if let block = feedForward {
            layer.feedForward = FeedForwardWeights(
                gate: block.gate?.selecting(columns: channels),
                up: block.up.selecting(columns: channels),
                down: block.down.selecting(rows: channels))
        }
        layer.attentionNorm = attentionNorm?.selecting(channels)
        layer.attentionOutputNorm = attentionOutputNorm?.selecting(channels)
        layer.feedForwardNorm = feedForwardNorm?.selecting(channels)
        layer.feedForwardOutputNorm = feedForwardOutputNorm?.selecting(channels)
        return layer
    }
}

extension NamedTensor {
    /// Selects channels in every dimension whose size is `hiddenSize`.
    ///
    /// Both dimensions of a pooler's weight have that size.
    ///
    /// With `keepsRows`, the first dimension stays whole: its size equals `hiddenSize` by
    /// coincidence.
    func selecting(
        channels: [Int], of hiddenSize: Int, keepingRows keepsRows: Bool = false
    ) -> NamedTensor {
        let kept = shape.enumerated().map { axis, size in
            size == hiddenSize && !(keepsRows && axis == 0) ? channels : Array(0..<size)
        }
        var places = [0]
        for (dimension, kept) in zip(shape, kept) {
            places = places.flatMap { place in kept.map { place * dimension + $0 } }
        }
        return NamedTensor(
            name: name, shape: kept.map(\.count), elements: places.map { elements[$0] })
    }
}

extension Projection {
    fileprivate func selecting(columns: [Int]) -> Projection {
        Projection(weight: weight.selecting(columns: columns), bias: bias)
    }
}

extension NormWeights {
    fileprivate func selecting(_ channels: [Int]) -> NormWeights {
        NormWeights(
            weight: channels.map { weight[$0] },
            bias: bias.map { bias in channels.map { bias[$0] } }, kind: kind)
    }
}
