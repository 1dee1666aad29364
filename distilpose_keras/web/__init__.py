"""A page that runs exported files in the browser, and how it reaches one."""
