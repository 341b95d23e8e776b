/// The Python program that times models in ONNX Runtime.
enum ONNXRuntimeWorker {
    /// The text of the program.
    static let source = #"""
        """Times ONNX models. Each line of input is a request, and each answer is a line of JSON."""

        import collections
        import json
        import os
        import signal
        import sys
        import time

        answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        # Ctrl-C stops the parent process, which then closes the input.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


        def answer(**members):
            print(json.dumps(members), file=answers, flush=True)


        try:
            import numpy
            import onnxruntime
        except ImportError as error:
            answer(error=f"{sys.executable}: {error}")
            sys.exit(1)

        PHASE = sys.argv[1]
        BATCH, SEQUENCE, THREADS, VOCABULARY, MEMORY = map(int, sys.argv[2:])
        COUNT = 1 if PHASE == "decode" else SEQUENCE
        CACHED = SEQUENCE if PHASE == "decode" else 0
        SHORT_SECONDS = 0.1


        def value(tensor):
            """Returns the value for an input of the model, which depends on its name."""
            random = numpy.random.default_rng(1)
            if tensor.name.startswith("past_key_values"):
                shape = (BATCH, tensor.shape[1], CACHED, tensor.shape[3])
                return random.standard_normal(shape, numpy.float32)
            if tensor.name == "attention_mask":
                return numpy.ones((BATCH, CACHED + COUNT), numpy.int64)
            if tensor.name == "position_ids":
                return numpy.tile(numpy.arange(CACHED, CACHED + COUNT), (BATCH, 1))
            if tensor.name == "token_type_ids":
                return numpy.zeros((BATCH, COUNT), numpy.int64)
            return random.integers(0, VOCABULARY, (BATCH, COUNT))


        class Model:
            def __init__(self, path, size):
                self.size = size
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
                options.log_severity_level = 3
                # Its threads must not spin while another model runs.
                options.add_session_config_entry("session.force_spinning_stop", "1")
                self.session = onnxruntime.InferenceSession(
                    path, options, providers=["CPUExecutionProvider"])
                self.binding = self.session.io_binding()
                for tensor in self.session.get_inputs():
                    self.binding.bind_cpu_input(tensor.name, value(tensor))
                for tensor in self.session.get_outputs():
                    self.binding.bind_output(tensor.name, "cpu")
                self.run()
                self.warms_up = self.timed()["seconds"] < SHORT_SECONDS

            def run(self):
                self.session.run_with_iobinding(self.binding)

            def timed(self):
                busy, start = time.process_time_ns(), time.perf_counter_ns()
                self.run()
                elapsed, used = time.perf_counter_ns() - start, time.process_time_ns() - busy
                return {"seconds": elapsed * 1e-9, "share": used / elapsed}

            def sample(self):
                if self.warms_up:
                    self.run()
                return self.timed()


        answer(version=onnxruntime.__version__)
        models = collections.OrderedDict()
        for line in sys.stdin:
            try:
                request = json.loads(line)
                path, size = request["path"], request["bytes"]
                while path not in models and models and MEMORY < size + sum(
                        model.size for model in models.values()):
                    models.popitem(last=False)
                if path not in models:
                    models[path] = Model(path, size)
                models.move_to_end(path)
                answer(**models[path].sample())
            except Exception as error:
                answer(error=" ".join(str(error).split()))
        """#
}
