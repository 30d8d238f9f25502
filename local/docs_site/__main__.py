"""Builds the site where web looks for it, and says so."""

import subprocess
import sys

from local.docs_site.build import build
from local.docs_site.policy import CannotFollowPolicyError
from web.docs import sources

try:
    build(sources.SITE)
except subprocess.CalledProcessError as error:
    sys.exit(f"the site was not built:\n{error.stdout}{error.stderr}")
except CannotFollowPolicyError as error:
    sys.exit(f"the site was not built: {error}")
print(f"built in {sources.SITE}; web shows it at /docs")
