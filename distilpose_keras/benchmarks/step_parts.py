"""The parts of a distillation step, each compiled by itself as `fit` compiles all.

What they cost together against the whole step tells what the trainer adds, or saves.
"""

import functools

import keras

# In the order of a step. The third contains the second.
TEACHER = "teacher forward"
FORWARD = "student forward"
GRADIENTS = "student forward, losses, backward"
UPDATE = "optimizer update"


def step_parts(distiller, batch):
    """Return functions that run one part of a step each.

    They run on the same batch again and again and return when the device is done.
    The student is left changed: its averages of batch normalisation everywhere, its
    weights on TensorFlow and PyTorch.

    Args:
        distiller: compiled `Distiller` with a built optimizer.
        batch: ``(images, targets)`` of NumPy arrays.

    Returns:
        dict of the names in this module to functions without arguments; without a
        teacher it has no `TEACHER`.
    """
    parts = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
    images, targets = batch
    images = keras.ops.convert_to_tensor(images)
    targets = {k: keras.ops.convert_to_tensor(v) for k, v in targets.items()}
    functions = parts[keras.backend.backend()](distiller, images, targets)
    if distiller.teacher is None:
        del functions[TEACHER]
    return functions


def matrix_product(size, dtype):
    """Return a function that multiplies two matrices and waits, and its operations.

    Args:
        size: of the square matrices.
        dtype: of their values, such as ``"bfloat16"``.
    """
    matrix = keras.ops.cast(keras.random.uniform((size, size), seed=0), dtype)

    def multiply():
        product = keras.ops.matmul(matrix, matrix)
        keras.ops.convert_to_numpy(product[0, :1])  # waits for the device

    return multiply, 2 * size**3


def describe_device():
    """Return the kind of device that computes and what it calls itself.

    Returns:
        ``"cpu"`` or ``"gpu"``, and a name.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            details = tf.config.experimental.get_device_details(gpu)
            return "gpu", details.get("device_name", gpu.name)
    elif backend == "jax":
        import jax

        device = jax.devices()[0]
        if device.platform != "cpu":
            return "gpu", device.device_kind
    else:
        import torch

        if torch.cuda.is_available():
            return "gpu", torch.cuda.get_device_name()
    return "cpu", "cpu"


def _total(distiller, seen, targets, outputs):
    """The loss as a step differentiates it."""
    terms = distiller.weighted_terms(seen, targets, outputs)
    return distiller.optimizer.scale_loss(sum(terms.values()))


def _tensorflow(distiller, images, targets):
    import tensorflow as tf

    compiled = functools.partial(tf.function, jit_compile=distiller.jit_compile)
    variables = [v.value for v in distiller.trainable_variables]

    @compiled
    def teach(images):
        return distiller.teach(distiller.prepare_images(images))

    @compiled
    def forward(images):
        return distiller(images, training=True)

    @compiled
    def gradients(images, targets, seen):
        with tf.GradientTape() as tape:
            outputs = distiller(images, training=True)
            loss = _total(distiller, seen, targets, outputs)
        return tape.gradient(loss, variables)

    @compiled
    def update(gradients):
        distiller.optimizer.apply(gradients, distiller.trainable_variables)

    seen = teach(images)
    gradient = gradients(images, targets, seen)
    functions = {
        TEACHER: lambda: teach(images),
        FORWARD: lambda: forward(images),
        GRADIENTS: lambda: gradients(images, targets, seen),
        UPDATE: lambda: update(gradient),
    }

    def finished(function):
        def run():
            function()
            tf.test.experimental.sync_devices()

        return run

    return {name: finished(function) for name, function in functions.items()}


def _jax(distiller, images, targets):
    import jax
    import jax.numpy as jnp

    def copies(variables):
        return [jnp.array(variable.value, copy=True) for variable in variables]

    distiller.jax_state_sync()
    trained = copies(distiller.trainable_variables)
    others = copies(distiller.non_trainable_variables)
    state = copies(distiller.optimizer.variables)
    teacher = copies([] if distiller.teacher is None else distiller.teacher.variables)

    @jax.jit
    def teach(teacher, images):
        variables = [] if distiller.teacher is None else distiller.teacher.variables
        mapping = list(zip(variables, teacher, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return distiller.teach(distiller.prepare_images(images))

    @jax.jit
    def forward(trained, others, images):
        return distiller.stateless_call(trained, others, images, training=True)

    @jax.jit
    @functools.partial(jax.grad, has_aux=True)
    def gradients(trained, others, images, targets, seen):
        outputs, others = distiller.stateless_call(
            trained, others, images, training=True
        )
        return _total(distiller, seen, targets, outputs), others

    @functools.partial(jax.jit, donate_argnums=(0, 2))  # as `fit` does
    def update(state, gradient, trained):
        return distiller.optimizer.stateless_apply(state, gradient, trained)

    seen = teach(teacher, images)
    gradient, _ = gradients(trained, others, images, targets, seen)
    updated = (copies(distiller.trainable_variables), state)

    def apply():
        nonlocal updated
        updated = update(updated[1], gradient, updated[0])
        return updated

    functions = {
        TEACHER: lambda: teach(teacher, images),
        FORWARD: lambda: forward(trained, others, images),
        GRADIENTS: lambda: gradients(trained, others, images, targets, seen),
        UPDATE: apply,
    }

    def finished(function):
        return lambda: jax.block_until_ready(function())

    return {name: finished(function) for name, function in functions.items()}


def _torch(distiller, images, targets):
    import torch

    variables = distiller.trainable_variables
    seen = distiller.teach(distiller.prepare_images(images))

    def gradients():
        distiller.zero_grad()
        outputs = distiller(images, training=True)
        _total(distiller, seen, targets, outputs).backward()
        return [variable.value.grad for variable in variables]

    gradient = [tensor.clone() for tensor in gradients()]

    def update():
        with torch.no_grad():
            distiller.optimizer.apply(gradient, variables)

    functions = {
        TEACHER: lambda: distiller.teach(distiller.prepare_images(images)),
        FORWARD: lambda: distiller(images, training=True),
        GRADIENTS: gradients,
        UPDATE: update,
    }

    def finished(function):
        def run():
            function()
            if torch.cuda.is_available():
                torch.cuda.synchronize()

        return run

    return {name: finished(function) for name, function in functions.items()}
