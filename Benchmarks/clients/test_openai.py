"""The official OpenAI client, as it comes, against the service: embeddings, captions, errors, retries.

run.sh starts the service and says where it is: SERVICE_URL, SERVICE_KEY (a key with the scopes embed and caption),
SERVICE_MODEL (the name of a model that captions), SERVICE_ALIAS (another name of it, with a slash) and PICTURE (a file).
"""
import asyncio
import base64
import concurrent.futures
import math
import os
import pathlib
import time
import unittest

import openai

URL, KEY, MODEL = os.environ["SERVICE_URL"] + "/v1", os.environ["SERVICE_KEY"], os.environ["SERVICE_MODEL"]
PICTURE = pathlib.Path(os.environ["PICTURE"])
DATA_URI = f"data:image/{PICTURE.suffix[1:]};base64,{base64.b64encode(PICTURE.read_bytes()).decode()}"
TEXTS = ["a photo of a cat", "two dogs on a red sofa", "雪 and snow ❄"]
MESSAGES = [{"role": "user", "content": [{"type": "text", "text": "What is in this picture?"},
                                         {"type": "image_url", "image_url": {"url": DATA_URI}}]}]


def cosine(one, other):
    return (sum(x * y for x, y in zip(one, other, strict=True))
            / math.sqrt(sum(x * x for x in one)) / math.sqrt(sum(x * x for x in other)))


class Case(unittest.TestCase):
    def setUp(self):
        self.client = openai.OpenAI(base_url=URL, api_key=KEY, timeout=120)
        self.addCleanup(self.client.close)

    def embed(self, value, **options):
        return [item.embedding for item in self.client.embeddings.create(model=MODEL, input=value, **options).data]


class Embeddings(Case):
    def test_text_in_base64_and_in_numbers_is_the_same_unit_vector(self):
        # The client asks for base64 unless it is told otherwise, and decodes it.
        [encoded], [numbers] = self.embed(TEXTS[0]), self.embed(TEXTS[0], encoding_format="float")
        self.assertEqual(len(encoded), len(numbers))
        for one, other in zip(encoded, numbers):
            self.assertAlmostEqual(one, other, delta=1e-7)
        self.assertAlmostEqual(sum(value * value for value in encoded), 1, places=4)

    def test_raw_base64_is_little_endian_float32(self):
        raw = self.client.embeddings.with_raw_response.create(model=MODEL, input=TEXTS[0], encoding_format="base64")
        text = raw.http_response.json()["data"][0]["embedding"]
        self.assertEqual(len(base64.b64decode(text, validate=True)), 4 * len(self.embed(TEXTS[0])[0]))

    def test_list_keeps_its_order_and_equals_single_texts(self):
        reply = self.client.embeddings.create(model=MODEL, input=TEXTS)
        self.assertEqual([item.index for item in reply.data], [0, 1, 2])
        self.assertEqual(reply.object, "list")
        self.assertGreater(reply.usage.prompt_tokens, 0)
        self.assertEqual(reply.usage.total_tokens, reply.usage.prompt_tokens)
        for text, item in zip(TEXTS, reply.data):
            self.assertGreater(cosine(item.embedding, self.embed(text)[0]), 0.99999)
        self.assertLess(cosine(reply.data[0].embedding, reply.data[1].embedding), 0.9999)

    def test_dimensions_cut_and_normalize(self):
        [whole], [cut] = self.embed(TEXTS[0]), self.embed(TEXTS[0], dimensions=16)
        self.assertEqual(len(cut), 16)
        self.assertAlmostEqual(sum(value * value for value in cut), 1, places=4)
        self.assertGreater(cosine(cut, whole[:16]), 0.99999)

    def test_picture_as_data_uri(self):
        [picture], texts = self.embed(DATA_URI), self.embed(TEXTS)
        self.assertEqual(len(picture), len(texts[0]))
        self.assertAlmostEqual(sum(value * value for value in picture), 1, places=4)
        # Read as a text, it would not be the vector that it has beside a text in one request.
        both = self.embed([TEXTS[0], DATA_URI])
        self.assertGreater(cosine(both[1], picture), 0.99999)
        self.assertGreater(cosine(both[0], texts[0]), 0.99999)

    def test_async_client(self):
        async def embed():
            async with openai.AsyncOpenAI(base_url=URL, api_key=KEY) as client:
                return (await client.embeddings.create(model=MODEL, input=TEXTS[1])).data[0].embedding
        self.assertGreater(cosine(asyncio.run(embed()), self.embed(TEXTS[1])[0]), 0.99999)


class Captions(Case):
    def test_caption_whole_and_streamed_are_the_same(self):
        whole = self.client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=12)
        self.assertEqual(whole.object, "chat.completion")
        self.assertTrue(whole.choices[0].message.content)
        self.assertIn(whole.choices[0].finish_reason, ("stop", "length"))
        pieces, reasons, usage = [], [], None
        stream = self.client.chat.completions.create(
            model=MODEL, messages=MESSAGES, max_tokens=12, stream=True, stream_options={"include_usage": True})
        for chunk in stream:
            self.assertEqual(chunk.object, "chat.completion.chunk")
            usage = chunk.usage or usage
            for choice in chunk.choices:
                if choice.delta.content:
                    pieces.append(choice.delta.content)
                if choice.finish_reason:
                    reasons.append(choice.finish_reason)
        self.assertEqual("".join(pieces), whole.choices[0].message.content)
        self.assertEqual(reasons, [whole.choices[0].finish_reason])
        self.assertGreater(len(pieces), 1, "the caption came in one piece")
        self.assertEqual(usage.completion_tokens, whole.usage.completion_tokens)

    def test_stream_that_is_left_early_does_no_harm(self):
        for _ in range(4):
            with self.client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True) as stream:
                next(iter(stream))
        self.assertTrue(self.client.chat.completions.create(model=MODEL, messages=MESSAGES).choices)


    def test_fields_that_ask_for_nothing_are_ignored(self):
        plain = self.client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=12)
        neutral = dict(store=False, metadata={"a": "b"}, service_tier="auto", user="somebody", logprobs=False,
                       presence_penalty=0, frequency_penalty=0, response_format={"type": "text"}, tool_choice="none",
                       modalities=["text"], parallel_tool_calls=True, reasoning_effort="low", stop=None)
        nulls = dict.fromkeys(("tools", "functions", "logit_bias", "audio", "prediction", "top_logprobs", "n", "seed"))
        other = self.client.chat.completions.create(
            model=MODEL, messages=MESSAGES, max_tokens=12, extra_body=nulls, **neutral)
        self.assertEqual(other.choices[0].message.content, plain.choices[0].message.content)
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.chat.completions.create(
                model=MODEL, messages=MESSAGES, tools=[{"type": "function", "function": {"name": "f"}}])
        self.assertEqual(caught.exception.body["param"], "tools")

    def test_an_answer_is_sent_back(self):
        first = self.client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=6)
        message = first.choices[0].message
        # As the client's own object, with all its fields, and as it writes it.
        for again in (message, message.model_dump()):
            second = self.client.chat.completions.create(
                model=MODEL, messages=[*MESSAGES, again, {"role": "user", "content": "Shorter?"}], max_tokens=6)
            self.assertEqual(second.choices[0].message.content, message.content)
        begun = {"role": "assistant", "content": "a photo of", "refusal": None, "annotations": [], "tool_calls": None}
        goes_on = self.client.chat.completions.create(model=MODEL, messages=[*MESSAGES, begun], max_tokens=6)
        self.assertTrue(goes_on.choices[0].message.content.startswith("a photo of"))

    def test_stop_and_max_tokens(self):
        whole = self.client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=100_000)
        self.assertLess(whole.max_tokens, 100_000)
        content = whole.choices[0].message.content
        stop = content[len(content) // 2:][:2]
        cut = self.client.chat.completions.create(model=MODEL, messages=MESSAGES, stop=[stop, "@@@"])
        self.assertEqual(cut.choices[0].message.content, content[:content.index(stop)])
        self.assertEqual(cut.choices[0].finish_reason, "stop")
        stream = self.client.chat.completions.create(model=MODEL, messages=MESSAGES, stop=stop, stream=True)
        pieces = [choice.delta.content or "" for chunk in stream for choice in chunk.choices]
        self.assertEqual("".join(pieces), cut.choices[0].message.content)


class Models(Case):
    def test_another_name_is_the_same_model(self):
        alias = os.environ["SERVICE_ALIAS"]
        self.assertEqual(self.client.models.retrieve(alias).id, alias)
        reply = self.client.embeddings.create(model=alias, input=TEXTS[0])
        self.assertEqual(reply.model, MODEL)

    def test_model_is_listed(self):
        self.assertIn(MODEL, [model.id for model in self.client.models.list()])
        self.assertEqual(self.client.models.retrieve(MODEL).id, MODEL)


class Errors(Case):
    def assert_error(self, error, status, **fields):
        self.assertEqual(error.status_code, status)
        self.assertTrue(error.body["message"])
        for name, value in fields.items():
            self.assertEqual(error.body[name], value, error.body)

    def test_wrong_key(self):
        with openai.OpenAI(base_url=URL, api_key="sk-wrong") as client:
            with self.assertRaises(openai.AuthenticationError) as caught:
                client.embeddings.create(model=MODEL, input=TEXTS[0])
        self.assert_error(caught.exception, 401)
        self.assertNotIn("sk-wrong", str(caught.exception.body))

    def test_unknown_model(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.embeddings.create(model="no-such-model", input=TEXTS[0])
        self.assert_error(caught.exception, 404, param="model", code="model_not_found")

    def test_bad_values(self):
        for values, parameter in (({"input": ""}, "input"), ({"input": []}, "input"),
                                  ({"input": TEXTS[0], "dimensions": 0}, "dimensions"),
                                  ({"input": TEXTS[0], "extra_body": {"no_such_field": 1}}, "no_such_field"),
                                  ({"input": "data:image/png;base64,AAAA"}, "input"),
                                  ({"input": "data:undefined;base64,AAAA"}, "input"),
                                  ({"input": "https://example.com/cat.jpg"}, "input")):
            with self.subTest(parameter, **values), self.assertRaises(openai.BadRequestError) as caught:
                self.client.embeddings.create(model=MODEL, **values)
            self.assert_error(caught.exception, 400, type="invalid_request_error")
            self.assertTrue(caught.exception.body["param"].startswith(parameter), caught.exception.body)

    def test_caption_without_picture(self):
        with self.assertRaises(openai.BadRequestError):
            self.client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hello"}])


class Overload(Case):
    def test_refused_requests_come_again_after_the_time_that_the_service_says(self):
        refusals = []

        def watch(response):
            if response.status_code in (429, 503):
                refusals.append((response.status_code, response.headers.get("retry-after")))

        clients, found = 16, None
        texts = [f"{text}, number {number}" for number in range(80) for text in TEXTS]
        limit = time.monotonic() + 240
        with openai.OpenAI(base_url=URL, api_key=KEY, max_retries=20, timeout=240,
                           http_client=openai.DefaultHttpxClient(event_hooks={"response": [watch]})) as client:
            # More clients until the queue is full: how many that takes depends on the machine and the model.
            while not refusals and clients <= 128 and time.monotonic() < limit:
                with concurrent.futures.ThreadPoolExecutor(clients) as pool:
                    found = list(pool.map(
                        lambda _: len(client.embeddings.create(model=MODEL, input=texts).data), range(clients)))
                self.assertEqual(found, [len(texts)] * clients)
                clients *= 2
        self.assertTrue(refusals, "the service never refused; the test proves nothing")
        self.assertEqual({status for status, _ in refusals}, {503})
        for _, retry_after in refusals:
            self.assertTrue(retry_after and 0 < float(retry_after) <= 120, retry_after)
        print(f"{len(refusals)} refusals, Retry-After {sorted({value for _, value in refusals}, key=float)}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
