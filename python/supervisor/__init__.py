"""The Python side of supervisord: what event listeners, scripts and plug-ins import as `supervisor`.

Scripts and listeners use `childutils`, `states`, `xmlrpc`, `options` and `datatypes`, which stand on their own.
Plug-ins run in the plug-in process of the daemon or of supervisorctl; there the other modules reach the daemon through
a private channel (`channel`, `mirror`, `plugin_process`).
"""

FACADE_VERSION = 1
