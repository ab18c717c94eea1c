"""Triton's HTTP client, as it comes, against the service: inference, health, the repository, and errors that it can print.

run.sh starts the service and says where it is: SERVICE_URL, SERVICE_KEY (a key with the scopes embed, caption and admin),
SERVICE_MODEL (the name of a model that captions) and PICTURE (a file).
"""
import math
import os
import pathlib
import unittest

import numpy
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

URL, MODEL = os.environ["SERVICE_URL"].removeprefix("http://"), os.environ["SERVICE_MODEL"]
HEADERS = {"Authorization": "Bearer " + os.environ["SERVICE_KEY"]}
PICTURE = pathlib.Path(os.environ["PICTURE"]).read_bytes()


def tensor(name, values, binary):
    tensor = triton.InferInput(name, [len(values)], "BYTES")
    if not binary:
        values = [value.encode() for value in values]
    tensor.set_data_from_numpy(numpy.array(values, dtype=numpy.object_), binary_data=binary)
    return tensor


class Case(unittest.TestCase):
    def setUp(self):
        self.client = triton.InferenceServerClient(URL, network_timeout=120, connection_timeout=120)
        self.addCleanup(self.client.close)

    def call(self, name, *arguments, **options):
        # A copy, since the client adds fields of its own to what it is given.
        return getattr(self.client, name)(*arguments, headers=dict(HEADERS), **options)


class Inference(Case):
    def infer(self, inputs, outputs=None, **options):
        return self.call("infer", MODEL, inputs, outputs=outputs, **options)

    def test_texts_in_both_encodings_give_the_same_unit_vectors(self):
        texts = ["a photo of a cat", "two dogs on a red sofa"]
        found = []
        for binary in (True, False):
            outputs = [triton.InferRequestedOutput("embedding", binary_data=binary)]
            data = [text.encode() for text in texts] if binary else texts
            found.append(self.infer([tensor("text", data, binary)], outputs, request_id="r").as_numpy("embedding"))
        self.assertEqual(found[0].shape[0], 2)
        numpy.testing.assert_allclose(found[0], found[1], atol=1e-6)
        for vector in found[0]:
            self.assertAlmostEqual(math.sqrt(float((vector * vector).sum())), 1, places=4)

    def test_pictures_give_vectors_and_captions(self):
        outputs = [triton.InferRequestedOutput(name) for name in ("embedding", "caption")]
        result = self.infer([tensor("image", [PICTURE, PICTURE], True)], outputs)
        self.assertEqual(result.as_numpy("embedding").shape[0], 2)
        self.assertEqual(len(result.as_numpy("caption")), 2)

    def test_compressed_requests_are_read(self):
        plain = self.infer([tensor("image", [PICTURE], True)]).as_numpy("embedding")
        for algorithm in ("gzip", "deflate"):
            with self.subTest(algorithm):
                other = self.infer([tensor("image", [PICTURE], True)], request_compression_algorithm=algorithm,
                                   response_compression_algorithm=algorithm).as_numpy("embedding")
                numpy.testing.assert_allclose(other, plain, atol=1e-6)


class Server(Case):
    def test_health_and_metadata(self):
        self.assertTrue(self.client.is_server_live() and self.client.is_server_ready())
        self.assertTrue(self.call("is_model_ready", MODEL))
        self.assertEqual(self.call("get_model_metadata", MODEL)["name"], MODEL)
        self.assertIn("binary_tensor_data", self.call("get_server_metadata")["extensions"])

    def test_repository(self):
        self.assertIn(MODEL, [model["name"] for model in self.call("get_model_repository_index")])
        self.call("unload_model", MODEL)
        self.assertFalse(self.call("is_model_ready", MODEL))
        self.call("load_model", MODEL)
        self.assertTrue(self.call("is_model_ready", MODEL))


class Errors(Case):
    def test_what_is_not_there_has_an_error_to_print(self):
        calls = [
            ("get_model_config", MODEL), ("get_inference_statistics",), ("get_inference_statistics", MODEL),
            ("get_trace_settings",), ("get_trace_settings", MODEL), ("update_trace_settings", MODEL, {"trace_rate": "1"}),
            ("get_log_settings",), ("update_log_settings", {"log_info": True}),
            ("get_system_shared_memory_status",), ("get_system_shared_memory_status", "a"),
            ("register_system_shared_memory", "a", "/a", 16), ("unregister_system_shared_memory", "a"),
            ("get_cuda_shared_memory_status",), ("register_cuda_shared_memory", "a", b"handle", 0, 16),
            ("unregister_cuda_shared_memory",), ("get_model_metadata", "no-such-model"), ("load_model", "no-such-model"),
            ("infer", "no-such-model", [tensor("text", [b"a"], True)]),
            ("infer", MODEL, [tensor("words", [b"a"], True)]), ("infer", MODEL, [tensor("image", [b"none"], True)]),
            ("infer", MODEL, [tensor("text", [b"a"], True)], "7"),
        ]
        for name, *arguments in calls:
            with self.subTest(name, arguments=str(arguments)[:60]), self.assertRaises(InferenceServerException) as caught:
                self.call(name, *arguments)
            error = caught.exception
            self.assertIn(error.status(), ("400", "404"), str(error))
            self.assertIsInstance(error.message(), str)
            self.assertNotIn("exception occurred in the client", error.message())
            self.assertNotIn("{", error.message())
            print(f"{name}: {error}")

    def test_a_shared_memory_tensor_is_refused(self):
        shared = triton.InferInput("text", [1], "BYTES")
        shared.set_shared_memory("region", 16)
        with self.assertRaises(InferenceServerException) as caught:
            self.call("infer", MODEL, [shared])
        self.assertIn("hared memory", caught.exception.message())


if __name__ == "__main__":
    unittest.main(verbosity=2)
