#!/usr/bin/env python3
"""Drives the service's page in headless Chromium: a picture and texts in, caption, similarities and timings out.

Usage: .clients/bin/python Benchmarks/clients/page.py URL PICTURE [--screenshot FILE.png] [--timeout 60]
Needs Debian's chromium and chromium-driver. The browser can reach no host but the service's, and the page must not try.
"""
import argparse
import base64
import json
import pathlib
import re
import shutil
import sys
import urllib.parse

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

TEXTS = ["a photo of a cat", "a red apple", "two dogs on a sofa"]


def browser(host):
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        sys.exit("page.py: chromium or chromedriver is missing; apt-get install chromium chromium-driver")
    options = Options()
    options.binary_location = chromium
    for argument in ("--headless=new", "--disable-dev-shm-usage", "--window-size=1100,900", "--hide-scrollbars",
                     # Chromium's own sandbox refuses to run as root, as in containers; the page is our own.
                     "--no-sandbox", f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {host}",
                     "--disable-background-networking", "--disable-component-update", "--no-first-run"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(driver))


def requested(driver):
    """URLs that the page asked for."""
    urls = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            urls.append(message["params"]["request"]["url"])
    return urls


def check(holds, what):
    if not holds:
        sys.exit(f"page.py: {what}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("--screenshot", type=pathlib.Path)
    parser.add_argument("--timeout", type=float, default=60)
    arguments = parser.parse_args()
    host = urllib.parse.urlsplit(arguments.url)
    with browser(host.hostname) as driver:
        driver.set_page_load_timeout(arguments.timeout)
        driver.get(arguments.url + "/")
        wait = WebDriverWait(driver, arguments.timeout)
        # A file input may be hidden behind a place to drop pictures, so it is only looked for, not clicked.
        wait.until(lambda _: driver.find_elements(By.ID, "picture"))
        driver.find_element(By.ID, "picture").send_keys(str(arguments.picture.resolve()))
        box = driver.find_element(By.ID, "texts")
        box.clear()
        box.send_keys("\n".join(TEXTS))
        button = driver.find_element(By.ID, "run")
        wait.until(lambda _: button.is_enabled())
        button.click()

        def text(name):
            return driver.find_element(By.ID, name).text.strip()

        try:
            wait.until(lambda _: all(text(name) for name in ("caption", "similarities", "timings"))
                       and all(line in text("similarities") for line in TEXTS) and re.search(r"\d", text("timings")))
        except Exception:
            for name in ("caption", "similarities", "timings"):
                print(f"#{name}: {text(name)!r}", file=sys.stderr)
            print(driver.get_log("browser"), file=sys.stderr)
            raise
        caption, similarities, timings = text("caption"), text("similarities"), text("timings")
        numbers = re.findall(r"-?\d+(?:\.\d+)?", similarities)
        check(len(numbers) >= len(TEXTS),
              f"#similarities has {len(numbers)} numbers for {len(TEXTS)} texts: {similarities}")
        addressed = [url for url in requested(driver) if not url.startswith(("data:", "blob:", "chrome:"))]
        outside = [url for url in addressed if urllib.parse.urlsplit(url).netloc != host.netloc]
        check(not outside, f"the page asked other hosts: {outside}")
        errors = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
        check(not errors, f"the browser's console has errors: {errors}")
        if arguments.screenshot:
            arguments.screenshot.parent.mkdir(parents=True, exist_ok=True)
            # The whole page, also what lies below the window.
            picture = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
            arguments.screenshot.write_bytes(base64.b64decode(picture["data"]))
        print(f"caption: {caption}\nsimilarities: {' | '.join(similarities.splitlines())}\n"
              f"timings: {' | '.join(timings.splitlines())}")


if __name__ == "__main__":
    main()
