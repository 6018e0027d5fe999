# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One process for a run: many reconcilers, each a decision, and one loop that calls AWS for all of them.

A **reconciler** is a generator. It yields what it wants next (:mod:`.effects`: a call, a piece of background work, a
snapshot of its application, its lease, a pause), is sent the answer, and returns its result; so it reads from top to
bottom like a script, and touches neither the network nor the clock. A **lane** (:mod:`.lane`) serves the reconcilers of
one account and region, one at a time. Kubernetes' controllers are the model: a pure step, and ``RequeueAfter``.
"""
