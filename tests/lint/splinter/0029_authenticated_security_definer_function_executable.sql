-- It finds a SECURITY DEFINER function that authenticated may execute.
CREATE FUNCTION privileged(n int) RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = ''
  AS 'SELECT n';
REVOKE EXECUTE ON FUNCTION privileged(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION privileged(int) TO authenticated;
