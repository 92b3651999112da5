"""A browser without a window (Debian: chromium-driver), driven by the WebDriver protocol."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request


class Browser:
    """One window."""

    @staticmethod
    def is_there():
        return shutil.which("chromedriver") is not None

    def __enter__(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}"], stdout=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while not self._is_ready():
            if time.monotonic() > end:
                raise TimeoutError("chromedriver does not answer")
            time.sleep(0.05)
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,900"]
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}}
        self.session = ""
        self.session = "/session/" + self._ask("/session", wanted)["sessionId"]
        return self

    def __exit__(self, *_):
        try:
            self._ask(self.session, method="DELETE")
        finally:
            self.driver.terminate()
            self.driver.wait()

    def _is_ready(self):
        try:
            return self._ask("/status")["ready"]
        except (urllib.error.URLError, OSError):
            return False

    def _ask(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        return json.load(urllib.request.urlopen(request, timeout=120))["value"]

    def go(self, address):
        self._ask(self.session + "/url", {"url": address})

    def run(self, script):
        """What a function with this body returns."""
        return self._ask(self.session + "/execute/sync", {"script": script, "args": []})

    def wait(self, script, timeout=60.0):
        """Runs it until it returns something, and returns that."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if (value := self.run(script)) is not None:
                return value
            time.sleep(0.05)
        raise TimeoutError(script)

    def devtools(self, method, parameters=None):
        return self._ask(self.session + "/goog/cdp/execute", {"cmd": method, "params": parameters or {}})

    def before_each_page(self, script):
        self.devtools("Page.addScriptToEvaluateOnNewDocument", {"source": script})

    def task_seconds(self):
        """How much processor time the main thread of the page has used."""
        self.devtools("Performance.enable", {"timeDomain": "threadTicks"})
        metrics = {metric["name"]: metric["value"] for metric in self.devtools("Performance.getMetrics")["metrics"]}
        return metrics["TaskDuration"]
